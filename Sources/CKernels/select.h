/* Comparing scores with a bracket or a threshold. Included once per instruction set. */

#ifdef CK_AVX2
static inline __m256i keys_avx2(const float *x) {
    const __m256i u = _mm256_loadu_si256((const __m256i *)x);
    const __m256i k = _mm256_xor_si256(u, _mm256_srli_epi32(_mm256_srai_epi32(u, 31), 1));
    return _mm256_sub_epi32(k, _mm256_cmpeq_epi32(k, _mm256_set1_epi32(-1)));
}
static inline unsigned sum_avx2(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return (unsigned)_mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
#endif

/* Counts 64 scores of a block without branches, then looks at the single ones only if some lie inside the bracket. */
#define CK_TALLY(Score, Key, UKey, key_of, bits_of, INFINITE, ABS, each)                                              \
    for (size_t start = 0; start < n; start += 64) {                                                                  \
        const size_t count = n - start < 64 ? n - start : 64;                                                         \
        Key keys[64];                                                                                                 \
        unsigned below = 0, inside = 0, nan = 0;                                                                      \
        for (size_t i = 0; i < count; i++) {                                                                          \
            const UKey u = bits_of(x[start + i]);                                                                     \
            const Key k = key_of(u);                                                                                  \
            keys[i] = k;                                                                                              \
            below += k < lo;                                                                                          \
            inside += (k >= lo) & (k <= hi);                                                                          \
            nan += (u & ABS) > INFINITE;                                                                              \
        }                                                                                                             \
        tally->below += below, tally->inside += inside, tally->nan += nan;                                            \
        if (inside)                                                                                                   \
            for (size_t i = 0; i < count; i++)                                                                        \
                if (keys[i] >= lo && keys[i] <= hi) {                                                                 \
                    const Key k = keys[i];                                                                            \
                    each;                                                                                             \
                }                                                                                                     \
    }
#define CK_TALLY32(each) CK_TALLY(float, int32_t, uint32_t, key_of_bits32, bits_of_f32, 0x7f800000u, 0x7fffffffu, each)
#define CK_TALLY64(each) \
    CK_TALLY(double, int64_t, uint64_t, key_of_bits64, bits_of_f64, 0x7ff0000000000000u, 0x7fffffffffffffffu, each)

size_t CK_NAME(tally_f32)(const float *x, size_t n, int32_t lo, int32_t hi, int32_t *list, size_t capacity, ck_tally *tally) {
    size_t written = 0;
    if (!list) capacity = 0;
#ifdef CK_AVX2
    const __m256i vlo = _mm256_set1_epi32(lo), vhi = _mm256_set1_epi32(hi);
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), infinite = _mm256_set1_epi32(0x7f800000);
    __m256i below = _mm256_setzero_si256(), above = below, nan = below;
    size_t i = 0;
    /* The 32-bit lane counters cannot overflow: callers pass chunks, and a longer n is taken in pieces. */
    const size_t limit = n < (size_t)1 << 30 ? n : (size_t)1 << 30;
    for (; i + 32 <= limit; i += 32) {
        __m256i out[4], keys[4];
        for (int v = 0; v < 4; v++) {
            const __m256i u = _mm256_loadu_si256((const __m256i *)(x + i + 8 * v));
            keys[v] = keys_avx2(x + i + 8 * v);
            const __m256i b = _mm256_cmpgt_epi32(vlo, keys[v]), a = _mm256_cmpgt_epi32(keys[v], vhi);
            below = _mm256_sub_epi32(below, b), above = _mm256_sub_epi32(above, a);
            nan = _mm256_or_si256(nan, _mm256_cmpgt_epi32(_mm256_and_si256(u, magnitude), infinite));
            out[v] = _mm256_or_si256(b, a);
        }
        if (written == capacity) continue;
        for (int v = 0; v < 4; v++) {
            unsigned hits = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(out[v])) & 0xff;
            if (capacity - written >= 8) { /* all eight are stored, only the hits stay: a branch would be a coin toss */
                const __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)ck_packed_lanes[hits]));
                _mm256_storeu_si256((__m256i *)(list + written), _mm256_permutevar8x32_epi32(keys[v], lanes));
                written += (size_t)__builtin_popcount(hits);
            } else {
                for (; hits && written < capacity; hits &= hits - 1)
                    list[written++] = key_of_bits32(bits_of_f32(x[i + 8 * (size_t)v + (size_t)__builtin_ctz(hits)]));
            }
        }
    }
    const unsigned fewer = sum_avx2(below), more = sum_avx2(above);
    tally->below += fewer, tally->inside += i - fewer - more;
    if (_mm256_movemask_epi8(nan)) tally->nan += 1;
    if (n - i >= 32) return written + CK_NAME(tally_f32)(x + i, n - i, lo, hi, list ? list + written : NULL, capacity - written, tally);
    x += i, n -= i;
#endif
    CK_TALLY32(if (list && written < capacity) list[written++] = k)
    return written;
}

size_t CK_NAME(tally_f64)(const double *x, size_t n, int64_t lo, int64_t hi, int64_t *list, size_t capacity, ck_tally *tally) {
    size_t written = 0;
    CK_TALLY64(if (list && written < capacity) list[written++] = k)
    return written;
}

void CK_NAME(histogram_f32)(const float *x, size_t n, int32_t lo, int32_t hi, int shift, uint64_t *bins, ck_tally *tally) {
    CK_TALLY32(bins[((uint32_t)k - (uint32_t)lo) >> shift]++)
}
void CK_NAME(histogram_f64)(const double *x, size_t n, int64_t lo, int64_t hi, int shift, uint64_t *bins, ck_tally *tally) {
    CK_TALLY64(bins[((uint64_t)k - (uint64_t)lo) >> shift]++)
}
#undef CK_TALLY32
#undef CK_TALLY64
#undef CK_TALLY

#define CK_KEEP(key_of, bits_of)                                        \
    for (size_t start = 0; start < n; start += 64) {                    \
        const size_t count = n - start < 64 ? n - start : 64;           \
        uint64_t greater = 0, same = 0;                                 \
        for (size_t i = 0; i < count; i++) {                            \
            const __typeof__(threshold) k = key_of(bits_of(x[start + i])); \
            greater |= (uint64_t)(k > threshold) << i;                  \
            same |= (uint64_t)(k == threshold) << i;                    \
        }                                                               \
        words[start / 64] = ties ? greater | same : greater;            \
        equal += (size_t)__builtin_popcountll(same);                    \
    }

size_t CK_NAME(keep_f32)(const float *x, size_t n, int32_t threshold, int ties, uint64_t *words) {
    size_t equal = 0;
#ifdef CK_AVX2
    const __m256i t = _mm256_set1_epi32(threshold);
    const size_t whole = n / 64;
    for (size_t w = 0; w < whole; w++) {
        uint64_t greater = 0;
        __m256i same = _mm256_setzero_si256(), ge[8];
        for (int v = 0; v < 8; v++) {
            const __m256i k = keys_avx2(x + 64 * w + 8 * v);
            const __m256i e = _mm256_cmpeq_epi32(k, t), g = _mm256_cmpgt_epi32(k, t);
            same = _mm256_sub_epi32(same, e);
            ge[v] = ties ? _mm256_or_si256(e, g) : g;
        }
        for (int v = 0; v < 8; v++)
            greater |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(ge[v])) << 8 * v;
        words[w] = greater;
        if (!_mm256_testz_si256(same, same)) equal += sum_avx2(same);
    }
    x += 64 * whole, words += whole, n -= 64 * whole;
#endif
    CK_KEEP(key_of_bits32, bits_of_f32)
    return equal;
}

size_t CK_NAME(keep_f64)(const double *x, size_t n, int64_t threshold, int ties, uint64_t *words) {
    size_t equal = 0;
    CK_KEEP(key_of_bits64, bits_of_f64)
    return equal;
}
#undef CK_KEEP
