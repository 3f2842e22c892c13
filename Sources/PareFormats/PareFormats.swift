// PareFormats
