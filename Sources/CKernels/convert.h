/* Conversions. Included once per instruction set. */

/* float16 to float32. Subnormals are normalised by a subtraction instead of a multiplication, so the processor's
 * denormals-are-zero setting has no say. */
static inline float f32_of_half(uint16_t h) {
    const uint32_t exponent = (uint32_t)(h & 0x7c00) << 13;
    uint32_t u = ((uint32_t)(h & 0x7fff) << 13) + ((127u - 15u) << 23);
    if (exponent == 0x7c00u << 13) {
        u += (128u - 16u) << 23;
        if (h & 0x3ff) u |= 0x400000; /* quiet, as the F16C instruction does */
    } else if (exponent == 0) {
        u = bits_of_f32(f32_of_bits(u + (1u << 23)) - f32_of_bits(113u << 23));
    }
    return f32_of_bits(u | (uint32_t)(h & 0x8000) << 16);
}

static inline float f32_of_bfloat(uint16_t h) { return f32_of_bits((uint32_t)h << 16); }

static inline uint16_t half_of_f32(float x) {
    const uint32_t u = bits_of_f32(x), sign = u >> 16 & 0x8000;
    uint32_t a = u & 0x7fffffff;
    if (a > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
    if (a >= 0x47800000) return (uint16_t)(sign | 0x7c00); /* 65536 and more; the rest up to 65520 rounds up below */
    if (a < 0x38800000) {                                  /* subnormal: let the adder round at the right place */
        const uint32_t magic = (127u - 15u + 23u - 10u + 1u) << 23;
        return (uint16_t)(sign | (bits_of_f32(f32_of_bits(a) + f32_of_bits(magic)) - magic));
    }
    a += ((15u - 127u) << 23) + 0xfff + (a >> 13 & 1);
    return (uint16_t)(sign | a >> 13);
}

static inline uint16_t bfloat_of_f32(float x) {
    const uint32_t u = bits_of_f32(x);
    const uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : rounded);
}

/* float64 to float32 rounded to odd: a later rounding to 16 bits is then as good as a direct one. */
static inline float f32_to_odd(double x) {
    const float near = (float)x;
    uint32_t u = bits_of_f32(near);
    if ((double)near == x || x != x) return near;
    const double a = x < 0 ? -x : x, b = near < 0 ? -(double)near : (double)near;
    if (b > a) u -= 1; /* towards zero, then sticky */
    return f32_of_bits(u | 1);
}

/* Nearest even by the adder, saturating. */
static inline double round_even(double x) {
    const double magic = 0x1.8p52;
    return x > -0x1p51 && x < 0x1p51 ? x + magic - magic : x;
}
#define CK_INTEGER(T, low, high)                                                \
    static inline T T##_of_f64(double x) {                                      \
        const double r = round_even(x);                                         \
        return r != r ? 0 : r <= (double)(low) ? (low) : r >= (double)(high) ? (high) : (T)r; \
    }
CK_INTEGER(int8_t, INT8_MIN, INT8_MAX)
CK_INTEGER(uint8_t, 0, UINT8_MAX)
CK_INTEGER(int16_t, INT16_MIN, INT16_MAX)
CK_INTEGER(int32_t, INT32_MIN, INT32_MAX)
CK_INTEGER(int64_t, INT64_MIN, INT64_MAX)
#undef CK_INTEGER

#define CK_READ(T, expression)                                     \
    {                                                              \
        const T *s = src;                                          \
        if (stride == 1)                                           \
            for (size_t i = 0; i < n; i++) {                       \
                const T v = s[i];                                  \
                dst[i] = expression;                               \
            }                                                      \
        else                                                       \
            for (size_t i = 0; i < n; i++) {                       \
                const T v = s[(ptrdiff_t)i * stride];              \
                dst[i] = expression;                               \
            }                                                      \
        break;                                                     \
    }

#ifdef CK_AVX2
/* Whole vectors of contiguous halves; returns how many elements are done. */
static size_t halves_avx2(const void *src, size_t n, float *dst, uint32_t mask) {
    const __m256 keep = _mm256_castsi256_ps(_mm256_set1_epi32((int)mask));
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)((const uint8_t *)src + 2 * i)));
        _mm256_storeu_ps(dst + i, _mm256_and_ps(v, keep));
    }
    return i;
}
#define CK_HALVES(mask)                                   \
    if (dtype == CK_F16 && stride == 1) {                 \
        const size_t done = halves_avx2(src, n, dst, mask); \
        src = (const uint8_t *)src + 2 * done, dst += done, n -= done; \
    }
#else
#define CK_HALVES(mask)
#endif

void CK_NAME(to_f32)(int dtype, const void *src, ptrdiff_t stride, size_t n, float *dst) {
    CK_HALVES(0xffffffffu)
    switch (dtype) {
    case CK_F32: CK_READ(f32u, v)
    case CK_F64: CK_READ(f64u, (float)v)
    case CK_F16: CK_READ(u16u, f32_of_half(v))
    case CK_BF16: CK_READ(u16u, f32_of_bfloat(v))
    case CK_I8: CK_READ(int8_t, v)
    case CK_U8: CK_READ(uint8_t, v)
    case CK_I16: CK_READ(i16u, v)
    case CK_I32: CK_READ(i32u, (float)v)
    case CK_I64: CK_READ(i64u, (float)v)
    case CK_BOOL: CK_READ(uint8_t, v != 0)
    }
}

void CK_NAME(abs_f32)(int dtype, const void *src, ptrdiff_t stride, size_t n, float *dst) {
    CK_HALVES(0x7fffffffu)
    switch (dtype) {
    case CK_F32: CK_READ(u32u, f32_of_bits(v & 0x7fffffff))
    case CK_F64: CK_READ(f64u, (float)__builtin_fabs(v))
    case CK_F16: CK_READ(u16u, f32_of_half(v & 0x7fff))
    case CK_BF16: CK_READ(u16u, f32_of_bfloat(v & 0x7fff))
    case CK_I8: CK_READ(int8_t, __builtin_fabsf((float)v))
    case CK_U8: CK_READ(uint8_t, v)
    case CK_I16: CK_READ(i16u, __builtin_fabsf((float)v))
    case CK_I32: CK_READ(i32u, __builtin_fabsf((float)v))
    case CK_I64: CK_READ(i64u, __builtin_fabsf((float)v))
    case CK_BOOL: CK_READ(uint8_t, v != 0)
    }
}

void CK_NAME(to_f64)(int dtype, const void *src, ptrdiff_t stride, size_t n, double *dst) {
    switch (dtype) {
    case CK_F32: CK_READ(f32u, v)
    case CK_F64: CK_READ(f64u, v)
    case CK_F16: CK_READ(u16u, f32_of_half(v))
    case CK_BF16: CK_READ(u16u, f32_of_bfloat(v))
    case CK_I8: CK_READ(int8_t, v)
    case CK_U8: CK_READ(uint8_t, v)
    case CK_I16: CK_READ(i16u, v)
    case CK_I32: CK_READ(i32u, v)
    case CK_I64: CK_READ(i64u, (double)v)
    case CK_BOOL: CK_READ(uint8_t, v != 0)
    }
}
#undef CK_READ
#undef CK_HALVES

#define CK_WRITE(T, expression)                              \
    {                                                        \
        T *d = dst;                                          \
        if (stride == 1)                                     \
            for (size_t i = 0; i < n; i++) {                 \
                const double_or_float v = src[i];            \
                d[i] = expression;                           \
            }                                                \
        else                                                 \
            for (size_t i = 0; i < n; i++) {                 \
                const double_or_float v = src[i];            \
                d[(ptrdiff_t)i * stride] = expression;       \
            }                                                \
        break;                                               \
    }

void CK_NAME(from_f32)(int dtype, const float *src, size_t n, void *dst, ptrdiff_t stride) {
    typedef float double_or_float;
#ifdef CK_AVX2
    if (dtype == CK_F16 && stride == 1) {
        size_t i = 0;
        for (; i + 8 <= n; i += 8)
            _mm_storeu_si128((__m128i *)((uint8_t *)dst + 2 * i),
                             _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
        src += i, dst = (uint8_t *)dst + 2 * i, n -= i;
    }
#endif
    switch (dtype) {
    case CK_F32: CK_WRITE(f32u, v)
    case CK_F64: CK_WRITE(f64u, v)
    case CK_F16: CK_WRITE(u16u, half_of_f32(v))
    case CK_BF16: CK_WRITE(u16u, bfloat_of_f32(v))
    case CK_I8: CK_WRITE(int8_t, int8_t_of_f64(v))
    case CK_U8: CK_WRITE(uint8_t, uint8_t_of_f64(v))
    case CK_I16: CK_WRITE(i16u, int16_t_of_f64(v))
    case CK_I32: CK_WRITE(i32u, int32_t_of_f64(v))
    case CK_I64: CK_WRITE(i64u, int64_t_of_f64(v))
    case CK_BOOL: CK_WRITE(uint8_t, v != 0)
    }
}

void CK_NAME(from_f64)(int dtype, const double *src, size_t n, void *dst, ptrdiff_t stride) {
    typedef double double_or_float;
    switch (dtype) {
    case CK_F32: CK_WRITE(f32u, (float)v)
    case CK_F64: CK_WRITE(f64u, v)
    case CK_F16: CK_WRITE(u16u, half_of_f32(f32_to_odd(v)))
    case CK_BF16: CK_WRITE(u16u, bfloat_of_f32(f32_to_odd(v)))
    case CK_I8: CK_WRITE(int8_t, int8_t_of_f64(v))
    case CK_U8: CK_WRITE(uint8_t, uint8_t_of_f64(v))
    case CK_I16: CK_WRITE(i16u, int16_t_of_f64(v))
    case CK_I32: CK_WRITE(i32u, int32_t_of_f64(v))
    case CK_I64: CK_WRITE(i64u, int64_t_of_f64(v))
    case CK_BOOL: CK_WRITE(uint8_t, v != 0)
    }
}
#undef CK_WRITE
