// norm-scale
