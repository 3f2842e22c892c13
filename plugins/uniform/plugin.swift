// uniform
