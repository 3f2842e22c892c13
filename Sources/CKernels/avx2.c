/* The same kernels for processors with AVX2, F16C and BMI2. */
#if defined(__x86_64__)
#include <immintrin.h>
#define CK_AVX2 1
#define CK_NAME(name) ck_##name##_avx2
#pragma clang attribute push(__attribute__((target("avx2,f16c,bmi,bmi2,popcnt"))), apply_to = function)
#include "kernels.h"
#include "convert.h"
#include "scan.h"
#include "reduce.h"
#include "select.h"
#include "nm.h"
#include "apply.h"
#pragma clang attribute pop
#endif
