// uniform-plus
