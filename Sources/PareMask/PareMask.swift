// PareMask
