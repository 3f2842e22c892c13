/* The kernels for any processor. */
#define CK_NAME(name) ck_##name##_base
#include "kernels.h"
#include "convert.h"
#include "scan.h"
#include "reduce.h"
#include "select.h"
#include "nm.h"
#include "apply.h"
