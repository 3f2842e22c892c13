// global
