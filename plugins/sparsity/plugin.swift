// sparsity
