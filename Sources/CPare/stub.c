/* One source file, so that a header edit rebuilds every Swift target that imports the module. */
#include <pare/pare.h>
