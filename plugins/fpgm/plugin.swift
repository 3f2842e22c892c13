// fpgm
