/* Masks applied to data. Included once per instruction set. */

#define CK_APPLY(T)                                                                                  \
    for (size_t start = 0; start < n; start += 64) {                                                 \
        const size_t count = n - start < 64 ? n - start : 64;                                        \
        const uint64_t word = ck_get_bits(words, first + start, count);                              \
        const T *s = (const T *)src + start;                                                         \
        T *d = (T *)dst + start;                                                                     \
        for (size_t i = 0; i < count; i++) d[i] = (T)(s[i] & (T)(0 - (T)(word >> i & 1)));           \
    }

#ifdef CK_AVX2
/* 64 elements under 64 bits. */
static inline void apply_word2(const uint8_t *s, uint8_t *d, uint64_t word) {
    const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, (short)32768);
    for (int v = 0; v < 4; v++) {
        const __m256i chosen = _mm256_and_si256(_mm256_set1_epi16((short)(word >> 16 * v)), bit);
        const __m256i x = _mm256_loadu_si256((const __m256i *)(s + 32 * v));
        _mm256_storeu_si256((__m256i *)(d + 32 * v), _mm256_and_si256(x, _mm256_cmpeq_epi16(chosen, bit)));
    }
}
static inline void apply_word4(const uint8_t *s, uint8_t *d, uint64_t word) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    for (int v = 0; v < 8; v++) {
        const __m256i chosen = _mm256_and_si256(_mm256_set1_epi32((int)(word >> 8 * v)), bit);
        const __m256i x = _mm256_loadu_si256((const __m256i *)(s + 32 * v));
        _mm256_storeu_si256((__m256i *)(d + 32 * v), _mm256_and_si256(x, _mm256_cmpeq_epi32(chosen, bit)));
    }
}
#endif

void CK_NAME(apply)(size_t size, const void *src, void *dst, const uint64_t *words, size_t first, size_t n) {
#ifdef CK_AVX2
    if (size == 2 || size == 4) {
        size_t i = 0;
        for (; i + 64 <= n; i += 64) {
            const uint64_t word = ck_get_bits(words, first + i, 64);
            const uint8_t *s = (const uint8_t *)src + i * size;
            uint8_t *d = (uint8_t *)dst + i * size;
            if (size == 2) apply_word2(s, d, word);
            else apply_word4(s, d, word);
        }
        src = (const uint8_t *)src + i * size, dst = (uint8_t *)dst + i * size, first += i, n -= i;
    }
#endif
    switch (size) {
    case 1: CK_APPLY(uint8_t) break;
    case 2: CK_APPLY(u16u) break;
    case 4: CK_APPLY(u32u) break;
    case 8: CK_APPLY(u64u) break;
    }
}
#undef CK_APPLY

size_t CK_NAME(popcount)(const uint64_t *words, size_t count) {
    size_t ones = 0;
    for (size_t i = 0; i < count; i++) ones += (size_t)__builtin_popcountll(words[i]);
    return ones;
}
