// magnitude
