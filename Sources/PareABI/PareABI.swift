// PareABI
