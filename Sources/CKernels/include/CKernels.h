/* Kernels where plain Swift measurably falls short. Each has a baseline and an AVX2 version with equal results; the choice is
 * made once, from cpuid. Buffers of elements need no alignment; buffers of words, keys and sums have that of their type.
 *
 * `dtype` is the raw value of PareTensor's DType. Packed bits are little-endian in 64-bit words: element i is bit i % 64 of word
 * i / 64. Sizes come from callers that have checked them. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

#define CK_F32 0
#define CK_F64 1
#define CK_F16 2
#define CK_BF16 3
#define CK_I8 4
#define CK_U8 5
#define CK_I16 6
#define CK_I32 7
#define CK_I64 8
#define CK_BOOL 9

/* 1: use the baseline versions from now on (tests compare the two); 0: what the processor offers. */
void ck_force_baseline(int on);
int ck_has_avx2(void);

/* ---- conversion; strides in elements. To 16-bit floats: nearest even, NaN stays NaN. To integers: nearest even, saturating, NaN
 * becomes 0. */
void ck_to_f32(int dtype, const void *src, ptrdiff_t stride, size_t n, float *dst);
void ck_abs_f32(int dtype, const void *src, ptrdiff_t stride, size_t n, float *dst);
void ck_to_f64(int dtype, const void *src, ptrdiff_t stride, size_t n, double *dst);
void ck_from_f32(int dtype, const float *src, size_t n, void *dst, ptrdiff_t stride);
void ck_from_f64(int dtype, const double *src, size_t n, void *dst, ptrdiff_t stride);

/* ---- scans of contiguous elements */
size_t ck_first_nonfinite(int dtype, const void *src, size_t n); /* n if all are finite */
size_t ck_count_zeros(int dtype, const void *src, size_t n);     /* -0.0 counts */
void ck_nonzero_bits(int dtype, const void *src, size_t n, uint64_t *words); /* whole words; bits past n are 0 */

/* ---- reductions; `op` is 1 Σ|x|, 2 and 5 Σx², 3 max|x|, 4 Σx. Sums are float64 in a fixed order. */
double ck_reduce_f32(int op, const float *x, size_t n);
double ck_reduce_f64(int op, const double *x, size_t n);
/* sums[r] (op)= x[r·width … + width-1] */
void ck_reduce_rows_f32(int op, const float *x, size_t rows, size_t width, double *sums);
void ck_reduce_rows_f64(int op, const double *x, size_t rows, size_t width, double *sums);

/* ---- selection. The key of a score is an integer of the same order, equal for -0 and +0. */
typedef struct ck_tally {
    uint64_t below;  /* key < lo */
    uint64_t inside; /* lo ≤ key ≤ hi */
    uint64_t nan;
} ck_tally;

int32_t ck_key_f32(float x);
int64_t ck_key_f64(double x);
/* Adds to *tally; writes the keys inside to `list` (NULL: none), at most `capacity`, and returns how many. */
size_t ck_tally_f32(const float *x, size_t n, int32_t lo, int32_t hi, int32_t *list, size_t capacity, ck_tally *tally);
size_t ck_tally_f64(const double *x, size_t n, int64_t lo, int64_t hi, int64_t *list, size_t capacity, ck_tally *tally);
/* The same, with bins[(key - lo) >> shift] += 1 instead of a list. */
void ck_histogram_f32(const float *x, size_t n, int32_t lo, int32_t hi, int shift, uint64_t *bins, ck_tally *tally);
void ck_histogram_f64(const double *x, size_t n, int64_t lo, int64_t hi, int shift, uint64_t *bins, ck_tally *tally);
/* bins[(keys[i] - lo) >> shift] += 1 for the keys in lo … hi. */
void ck_histogram_k32(const int32_t *keys, size_t n, int32_t lo, int32_t hi, int shift, uint64_t *bins);
void ck_histogram_k64(const int64_t *keys, size_t n, int64_t lo, int64_t hi, int shift, uint64_t *bins);
/* Bits of key > threshold (≥ if `ties`), in whole words; returns how many keys equal it. */
size_t ck_keep_f32(const float *x, size_t n, int32_t threshold, int ties, uint64_t *words);
size_t ck_keep_f64(const double *x, size_t n, int64_t threshold, int ties, uint64_t *words);
/* Set the bits of the first `count` elements whose key equals the threshold. */
void ck_keep_ties_f32(const float *x, size_t n, int32_t threshold, size_t count, uint64_t *words);
void ck_keep_ties_f64(const double *x, size_t n, int64_t threshold, size_t count, uint64_t *words);

/* ---- N:M: of every m elements along the middle axis of [outer, axis, inner] keep the n largest, lower index on ties; a last group
 * that is shorter than m keeps n or all. ORs the bits of the kept ones into `words` from bit `bit` on. */
#define CK_NM_ABS16 0 /* |x| of float16 or bfloat16 */
#define CK_NM_ABS32 1
#define CK_NM_SCORE32 2
#define CK_NM_ABS64 3
#define CK_NM_SCORE64 4
void ck_nm(int kind, const void *x, size_t outer, size_t axis, size_t inner, size_t n, size_t m, uint64_t *words, size_t bit);
/* Groups of m bits with more (or, if exact, other) than n ones among the first `bits` bits; m divides 64 and `bits`. */
size_t ck_nm_violations(const uint64_t *words, size_t bits, unsigned n, unsigned m, int exact);

/* ---- packed bits */
/* dst[i] = bit (first + i) ? src[i] : 0 for elements of 1, 2, 4 or 8 bytes; dst may be src. */
void ck_apply(size_t size, const void *src, void *dst, const uint64_t *words, size_t first, size_t n);
size_t ck_popcount(const uint64_t *words, size_t count);
void ck_or_bits(uint64_t *words, size_t bit, uint64_t value, size_t count); /* count ≤ 64; value's other bits are 0 */
uint64_t ck_get_bits(const uint64_t *words, size_t bit, size_t count);      /* count ≤ 64 */
void ck_set_range(uint64_t *words, size_t bit, size_t count);               /* to ones */
void ck_or_range(uint64_t *words, size_t bit, const uint64_t *src, size_t count);
void ck_pack_bytes(const uint8_t *src, ptrdiff_t stride, size_t n, uint64_t *words, size_t bit); /* ORs non-zero bytes */
void ck_unpack_bytes(const uint64_t *words, size_t bit, size_t n, uint8_t *dst, ptrdiff_t stride); /* 0 or 1 */

/* ---- threads */
int64_t ck_fetch_add(int64_t *counter, int64_t amount); /* atomic, relaxed */
int64_t ck_load(const int64_t *counter);
void ck_store(int64_t *counter, int64_t value);
int ck_processors(void); /* that this process may use; ≥ 1 */
int *ck_parallel_depth(void); /* thread-local; > 0 inside a parallel loop */
#endif
