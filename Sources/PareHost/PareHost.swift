// PareHost
