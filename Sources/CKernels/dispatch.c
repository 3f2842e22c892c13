#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* AVX2, F16C and BMI in the processor, and the wide registers saved by the system. */
static int detect(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const unsigned needed = 1u << 27 /* OSXSAVE */ | 1u << 28 /* AVX */ | 1u << 29 /* F16C */ | 1u << 23 /* POPCNT */;
    if ((c & needed) != needed) return 0;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const unsigned vector = 1u << 3 /* BMI1 */ | 1u << 5 /* AVX2 */ | 1u << 8 /* BMI2 */;
    return (b & vector) == vector;
}
#else
static int detect(void) { return 0; }
#endif

static int level = -1; /* -1 not asked yet, else whether AVX2 is used */

int ck_has_avx2(void) {
    int known = __atomic_load_n(&level, __ATOMIC_RELAXED);
    if (known < 0) {
        known = detect();
        __atomic_store_n(&level, known, __ATOMIC_RELAXED);
    }
    return known;
}

void ck_force_baseline(int on) { __atomic_store_n(&level, on ? 0 : -1, __ATOMIC_RELAXED); }

#if defined(__x86_64__)
#define CK_DISPATCH(result, name, parameters, arguments) \
    result ck_##name parameters { return ck_has_avx2() ? ck_##name##_avx2 arguments : ck_##name##_base arguments; }
#else
#define CK_DISPATCH(result, name, parameters, arguments) \
    result ck_##name parameters { return ck_##name##_base arguments; }
#endif
CK_KERNELS(CK_DISPATCH)
