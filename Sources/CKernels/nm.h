/* N:M selection. An element is kept if fewer than n others of its group beat it; an equal one beats it if it comes earlier.
 * Comparing all pairs needs no branches. Included once per instruction set. */

#ifdef CK_AVX2
/* Groups of m = 2, 4 or 8 neighbours, whole words of 64: every element meets those of its group by rotation. An earlier element wins
 * ties because one is subtracted from the keys that come later. */
typedef struct {
    __m256i index[7], later[7];
} nm_rotations;

static void rotations16(nm_rotations *r, int m) {
    for (int turn = 1; turn < m; turn++) {
        uint8_t index[32];
        int16_t later[16];
        for (int lane = 0; lane < 16; lane++) {
            const int at = lane % m, other = (at + turn) % m;
            const int source = lane % 8 - at + other; /* within the half register that the shuffle works on */
            index[2 * lane] = (uint8_t)(2 * source), index[2 * lane + 1] = (uint8_t)(2 * source + 1);
            later[lane] = other > at;
        }
        r->index[turn - 1] = _mm256_loadu_si256((const __m256i *)index);
        r->later[turn - 1] = _mm256_loadu_si256((const __m256i *)later);
    }
}

static void rotations32(nm_rotations *r, int m) {
    for (int turn = 1; turn < m; turn++) {
        int32_t index[8], later[8];
        for (int lane = 0; lane < 8; lane++) {
            const int at = lane % m, other = (at + turn) % m;
            index[lane] = lane - at + other;
            later[lane] = other > at;
        }
        r->index[turn - 1] = _mm256_loadu_si256((const __m256i *)index);
        r->later[turn - 1] = _mm256_loadu_si256((const __m256i *)later);
    }
}

static inline __attribute__((always_inline)) void nm_words16(const uint8_t *x, size_t count, int n, const int m, uint64_t *words) {
    nm_rotations r;
    rotations16(&r, m);
    const __m256i magnitude = _mm256_set1_epi16(0x7fff), limit = _mm256_set1_epi16((short)(n - m + 1));
    for (size_t w = 0; w < count; w++, x += 128) {
        uint64_t word = 0;
        __m256i keep[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < 4; v++) {
            const __m256i k = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + 32 * v)), magnitude);
            __m256i losses = _mm256_setzero_si256(); /* minus the number of others beaten */
#pragma clang loop unroll(full)
            for (int t = 0; t < m - 1; t++) {
                const __m256i other = _mm256_sub_epi16(_mm256_shuffle_epi8(k, r.index[t]), r.later[t]);
                losses = _mm256_add_epi16(losses, _mm256_cmpgt_epi16(k, other));
            }
            keep[v] = _mm256_cmpgt_epi16(limit, losses);
        }
        for (int half = 0; half < 2; half++) {
            const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(keep[2 * half], keep[2 * half + 1]), 0xd8);
            word |= (uint64_t)(uint32_t)_mm256_movemask_epi8(bytes) << 32 * half;
        }
        words[w] |= word;
    }
}

static inline __attribute__((always_inline)) void nm_words32(const float *x, size_t count, int n, const int m, int scores,
                                                             uint64_t *words) {
    nm_rotations r;
    rotations32(&r, m);
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), limit = _mm256_set1_epi32(n - m + 1);
    for (size_t w = 0; w < count; w++, x += 64) {
        uint64_t word = 0;
        for (int v = 0; v < 8; v++) {
            const __m256i k = scores ? keys_avx2(x + 8 * v)
                                     : _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + 8 * v)), magnitude);
            __m256i losses = _mm256_setzero_si256();
#pragma clang loop unroll(full)
            for (int t = 0; t < m - 1; t++) {
                const __m256i other = _mm256_sub_epi32(_mm256_permutevar8x32_epi32(k, r.index[t]), r.later[t]);
                losses = _mm256_add_epi32(losses, _mm256_cmpgt_epi32(k, other));
            }
            const __m256i keep = _mm256_cmpgt_epi32(limit, losses);
            word |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(keep)) << 8 * v;
        }
        words[w] |= word;
    }
}

/* Returns how many elements are done. */
static size_t nm_neighbours(int kind, const void *x, size_t total, int n, size_t m, uint64_t *words) {
    const size_t count = total / 64;
    switch (kind) {
    case CK_NM_ABS16:
        if (m == 2) nm_words16(x, count, n, 2, words);
        else if (m == 4) nm_words16(x, count, n, 4, words);
        else if (m == 8) nm_words16(x, count, n, 8, words);
        else return 0;
        return 64 * count;
    case CK_NM_ABS32:
        if (m == 2) nm_words32(x, count, n, 2, 0, words);
        else if (m == 4) nm_words32(x, count, n, 4, 0, words);
        else if (m == 8) nm_words32(x, count, n, 8, 0, words);
        else return 0;
        return 64 * count;
    case CK_NM_SCORE32:
        if (m == 2) nm_words32(x, count, n, 2, 1, words);
        else if (m == 4) nm_words32(x, count, n, 4, 1, words);
        else if (m == 8) nm_words32(x, count, n, 8, 1, words);
        else return 0;
        return 64 * count;
    }
    return 0;
}
#endif

static inline int32_t nm_key32(int kind, const uint8_t *x, size_t i) {
    switch (kind) {
    case CK_NM_ABS16: return ((const u16u *)x)[i] & 0x7fff;
    case CK_NM_ABS32: return (int32_t)(((const u32u *)x)[i] & 0x7fffffff);
    default: return key_of_bits32(((const u32u *)x)[i]);
    }
}
static inline int64_t nm_key64(int kind, const uint8_t *x, size_t i) {
    const uint64_t u = ((const u64u *)x)[i];
    return kind == CK_NM_ABS64 ? (int64_t)(u & 0x7fffffffffffffffu) : key_of_bits64(u);
}

/* Up to 64 groups at a time, one per lane: group l starts at start + l·step, its members lie `inner` apart. Lanes are neighbours in
 * memory (step 1) or groups are (step m, inner 1). */
#define CK_LANES(Key, key_at)                                                                                         \
    static void key_at##_lanes(int kind, const uint8_t *x, size_t start, size_t step, size_t inner, size_t lanes,     \
                               size_t n, size_t m, uint64_t *words, size_t bit) {                                     \
        Key keys[64][64];                                                                                             \
        uint64_t group[64] = {0};                                                                                     \
        for (size_t j = 0; j < m; j++)                                                                                \
            for (size_t l = 0; l < lanes; l++) keys[j][l] = key_at(kind, x, start + l * step + j * inner);            \
        for (size_t j = 0; j < m; j++) {                                                                              \
            Key beaten[64] = {0};                                                                                     \
            for (size_t i = 0; i < j; i++)                                                                            \
                for (size_t l = 0; l < lanes; l++) beaten[l] += keys[i][l] >= keys[j][l];                             \
            for (size_t i = j + 1; i < m; i++)                                                                        \
                for (size_t l = 0; l < lanes; l++) beaten[l] += keys[i][l] > keys[j][l];                              \
            uint64_t run = 0;                                                                                         \
            if (step == 1) {                                                                                          \
                for (size_t l = 0; l < lanes; l++) run |= (uint64_t)(beaten[l] < (Key)n) << l;                        \
                ck_or_bits(words, bit + start + j * inner, run, lanes);                                               \
            } else {                                                                                                  \
                for (size_t l = 0; l < lanes; l++) group[l] |= (uint64_t)(beaten[l] < (Key)n) << j;                   \
            }                                                                                                         \
        }                                                                                                             \
        if (step != 1)                                                                                                \
            for (size_t l = 0; l < lanes; l++) ck_or_bits(words, bit + start + l * step, group[l], m);                \
    }
CK_LANES(int32_t, nm_key32)
CK_LANES(int64_t, nm_key64)
#undef CK_LANES

void CK_NAME(nm)(int kind, const void *x, size_t outer, size_t axis, size_t inner, size_t n, size_t m, uint64_t *words,
                 size_t bit) {
    size_t row = 0;
    if (inner == 1 && axis % m == 0) axis *= outer, outer = 1; /* rows continue each other */
#ifdef CK_AVX2
    if (inner == 1 && axis % m == 0 && bit % 64 == 0) {
        const size_t done = nm_neighbours(kind, x, outer * axis, (int)n, m, words + bit / 64);
        if (done) { /* what is left is shorter than a word and made of whole groups: one last row */
            const size_t size = kind == CK_NM_ABS16 ? 2 : kind <= CK_NM_SCORE32 ? 4 : 8;
            x = (const uint8_t *)x + done * size, bit += done, axis = outer * axis - done, outer = 1;
        }
    }
#endif
    void (*const lanes)(int, const uint8_t *, size_t, size_t, size_t, size_t, size_t, size_t, uint64_t *, size_t) =
        kind >= CK_NM_ABS64 ? nm_key64_lanes : nm_key32_lanes;
    const size_t groups = axis / m, rest = axis % m;
    for (; row < outer; row++) {
        const size_t first = row * axis * inner;
        if (inner == 1) {
            for (size_t g = 0; g < groups; g += 64)
                lanes(kind, x, first + g * m, m, 1, groups - g < 64 ? groups - g : 64, n, m, words, bit);
        } else {
            for (size_t g = 0; g < groups; g++)
                for (size_t p = 0; p < inner; p += 64)
                    lanes(kind, x, first + g * m * inner + p, 1, inner, inner - p < 64 ? inner - p : 64, n, m, words, bit);
        }
        for (size_t p = 0; rest > 0 && p < inner; p += 64)
            lanes(kind, x, first + groups * m * inner + p, 1, inner, inner - p < 64 ? inner - p : 64, n, rest, words, bit);
    }
}

/* Ones in every field of m bits, by adding neighbours; fields are then compared one by one. */
size_t CK_NAME(nm_violations)(const uint64_t *words, size_t bits, unsigned n, unsigned m, int exact) {
    static const uint64_t even[6] = {0x5555555555555555u, 0x3333333333333333u, 0x0f0f0f0f0f0f0f0fu,
                                     0x00ff00ff00ff00ffu, 0x0000ffff0000ffffu, 0x00000000ffffffffu};
    const uint64_t field = m == 64 ? ~(uint64_t)0 : ((uint64_t)1 << m) - 1;
    uint64_t wanted = 0;
    for (unsigned at = 0; at < 64; at += m) wanted |= (uint64_t)n << at;
    size_t bad = 0;
    for (size_t w = 0; w * 64 < bits; w++) {
        uint64_t sum = words[w];
        for (unsigned step = 0; 2u << step <= m; step++) sum = (sum & even[step]) + (sum >> (1u << step) & even[step]);
        if (sum == wanted) continue;
        for (unsigned at = 0; at < 64 && w * 64 + at < bits; at += m) {
            const uint64_t ones = sum >> at & field;
            bad += exact ? ones != n : ones > n;
        }
    }
    return bad;
}
