/* The kernels that exist twice. X(result, name, parameters, arguments) */
#ifndef CK_KERNELS_H
#define CK_KERNELS_H
#include "include/CKernels.h"

#define CK_KERNELS(X)                                                                                                             \
    X(void, to_f32, (int dtype, const void *src, ptrdiff_t stride, size_t n, float *dst), (dtype, src, stride, n, dst))           \
    X(void, abs_f32, (int dtype, const void *src, ptrdiff_t stride, size_t n, float *dst), (dtype, src, stride, n, dst))          \
    X(void, to_f64, (int dtype, const void *src, ptrdiff_t stride, size_t n, double *dst), (dtype, src, stride, n, dst))          \
    X(void, from_f32, (int dtype, const float *src, size_t n, void *dst, ptrdiff_t stride), (dtype, src, n, dst, stride))         \
    X(void, from_f64, (int dtype, const double *src, size_t n, void *dst, ptrdiff_t stride), (dtype, src, n, dst, stride))        \
    X(size_t, first_nonfinite, (int dtype, const void *src, size_t n), (dtype, src, n))                                           \
    X(size_t, count_zeros, (int dtype, const void *src, size_t n), (dtype, src, n))                                               \
    X(void, nonzero_bits, (int dtype, const void *src, size_t n, uint64_t *words), (dtype, src, n, words))                        \
    X(double, reduce_f32, (int op, const float *x, size_t n), (op, x, n))                                                         \
    X(double, reduce_f64, (int op, const double *x, size_t n), (op, x, n))                                                        \
    X(void, reduce_rows_f32, (int op, const float *x, size_t rows, size_t width, double *sums), (op, x, rows, width, sums))       \
    X(void, reduce_rows_f64, (int op, const double *x, size_t rows, size_t width, double *sums), (op, x, rows, width, sums))      \
    X(size_t, tally_f32,                                                                                                          \
      (const float *x, size_t n, int32_t lo, int32_t hi, int32_t *list, size_t capacity, ck_tally *tally),                        \
      (x, n, lo, hi, list, capacity, tally))                                                                                      \
    X(size_t, tally_f64,                                                                                                          \
      (const double *x, size_t n, int64_t lo, int64_t hi, int64_t *list, size_t capacity, ck_tally *tally),                       \
      (x, n, lo, hi, list, capacity, tally))                                                                                      \
    X(void, histogram_f32,                                                                                                        \
      (const float *x, size_t n, int32_t lo, int32_t hi, int shift, uint64_t *bins, ck_tally *tally),                             \
      (x, n, lo, hi, shift, bins, tally))                                                                                         \
    X(void, histogram_f64,                                                                                                        \
      (const double *x, size_t n, int64_t lo, int64_t hi, int shift, uint64_t *bins, ck_tally *tally),                            \
      (x, n, lo, hi, shift, bins, tally))                                                                                         \
    X(size_t, keep_f32, (const float *x, size_t n, int32_t threshold, int ties, uint64_t *words), (x, n, threshold, ties, words)) \
    X(size_t, keep_f64, (const double *x, size_t n, int64_t threshold, int ties, uint64_t *words), (x, n, threshold, ties, words))\
    X(void, nm,                                                                                                                   \
      (int kind, const void *x, size_t outer, size_t axis, size_t inner, size_t n, size_t m, uint64_t *words, size_t bit),        \
      (kind, x, outer, axis, inner, n, m, words, bit))                                                                            \
    X(size_t, nm_violations, (const uint64_t *words, size_t bits, unsigned n, unsigned m, int exact), (words, bits, n, m, exact)) \
    X(void, apply, (size_t size, const void *src, void *dst, const uint64_t *words, size_t first, size_t n),                      \
      (size, src, dst, words, first, n))                                                                                          \
    X(size_t, popcount, (const uint64_t *words, size_t count), (words, count))

#define CK_DECLARE(result, name, parameters, arguments) \
    result ck_##name##_base parameters;                 \
    result ck_##name##_avx2 parameters;
CK_KERNELS(CK_DECLARE)

/* Which lanes of a vector of eight a byte of bits selects, one index per byte from the lowest on. */
extern uint64_t ck_packed_lanes[256];

/* Elements in memory that may be unaligned. */
typedef float f32u __attribute__((aligned(1), may_alias));
typedef double f64u __attribute__((aligned(1), may_alias));
typedef uint16_t u16u __attribute__((aligned(1), may_alias));
typedef uint32_t u32u __attribute__((aligned(1), may_alias));
typedef uint64_t u64u __attribute__((aligned(1), may_alias));
typedef int16_t i16u __attribute__((aligned(1), may_alias));
typedef int32_t i32u __attribute__((aligned(1), may_alias));
typedef int64_t i64u __attribute__((aligned(1), may_alias));

static inline uint32_t bits_of_f32(float x) {
    uint32_t u;
    __builtin_memcpy(&u, &x, 4);
    return u;
}
static inline uint64_t bits_of_f64(double x) {
    uint64_t u;
    __builtin_memcpy(&u, &x, 8);
    return u;
}
static inline float f32_of_bits(uint32_t u) {
    float x;
    __builtin_memcpy(&x, &u, 4);
    return x;
}

/* Sign-magnitude to two's complement: the order of floats as integers. -0 would come out as -1. */
static inline int32_t key_of_bits32(uint32_t u) {
    int32_t k = (int32_t)(u ^ ((uint32_t)((int32_t)u >> 31) & 0x7fffffffu));
    return k == -1 ? 0 : k;
}
static inline int64_t key_of_bits64(uint64_t u) {
    int64_t k = (int64_t)(u ^ ((uint64_t)((int64_t)u >> 63) & 0x7fffffffffffffffu));
    return k == -1 ? 0 : k;
}
#endif
