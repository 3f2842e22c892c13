/* What needs one version only: bit ranges and keys. */
#include "kernels.h"

uint64_t ck_packed_lanes[256];

/* Here, not beside its use: what runs at load must suit any processor. */
__attribute__((constructor)) static void fill_packed_lanes(void) {
    for (unsigned bits = 0; bits < 256; bits++) {
        unsigned at = 0;
        for (unsigned lane = 0; lane < 8; lane++)
            if (bits >> lane & 1) ck_packed_lanes[bits] |= (uint64_t)lane << 8 * at++;
    }
}

int32_t ck_key_f32(float x) { return key_of_bits32(bits_of_f32(x)); }
int64_t ck_key_f64(double x) { return key_of_bits64(bits_of_f64(x)); }

static inline uint64_t ones(size_t count) { return count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1; }

void ck_or_bits(uint64_t *words, size_t bit, uint64_t value, size_t count) {
    const size_t word = bit / 64, shift = bit % 64;
    if (count == 0) return;
    words[word] |= value << shift;
    if (shift + count > 64) words[word + 1] |= value >> (64 - shift);
}

uint64_t ck_get_bits(const uint64_t *words, size_t bit, size_t count) {
    const size_t word = bit / 64, shift = bit % 64;
    if (count == 0) return 0;
    uint64_t value = words[word] >> shift;
    if (shift + count > 64) value |= words[word + 1] << (64 - shift);
    return value & ones(count);
}

void ck_set_range(uint64_t *words, size_t bit, size_t count) {
    while (count > 0) {
        const size_t room = 64 - bit % 64, now = count < room ? count : room;
        words[bit / 64] |= ones(now) << bit % 64;
        bit += now, count -= now;
    }
}

void ck_or_range(uint64_t *words, size_t bit, const uint64_t *src, size_t count) {
    for (size_t i = 0; i < count; i += 64) {
        const size_t now = count - i < 64 ? count - i : 64;
        ck_or_bits(words, bit + i, src[i / 64] & ones(now), now);
    }
}

void ck_pack_bytes(const uint8_t *src, ptrdiff_t stride, size_t n, uint64_t *words, size_t bit) {
    for (size_t start = 0; start < n; start += 64) {
        const size_t count = n - start < 64 ? n - start : 64;
        uint64_t word = 0;
        for (size_t i = 0; i < count; i++) word |= (uint64_t)(src[(ptrdiff_t)(start + i) * stride] != 0) << i;
        ck_or_bits(words, bit + start, word, count);
    }
}

void ck_unpack_bytes(const uint64_t *words, size_t bit, size_t n, uint8_t *dst, ptrdiff_t stride) {
    for (size_t i = 0; i < n; i++) dst[(ptrdiff_t)i * stride] = words[(bit + i) / 64] >> (bit + i) % 64 & 1;
}

#define CK_HISTOGRAM(Key, UKey, suffix)                                                                            \
    void ck_histogram_##suffix(const Key *keys, size_t n, Key lo, Key hi, int shift, uint64_t *bins) {             \
        for (size_t i = 0; i < n; i++)                                                                             \
            if (keys[i] >= lo && keys[i] <= hi) bins[((UKey)keys[i] - (UKey)lo) >> shift]++;                       \
    }
CK_HISTOGRAM(int32_t, uint32_t, k32)
CK_HISTOGRAM(int64_t, uint64_t, k64)

#define CK_TIES(Score, Key, key_of, suffix)                                                                        \
    void ck_keep_ties_##suffix(const Score *x, size_t n, Key threshold, size_t count, uint64_t *words) {           \
        for (size_t i = 0; i < n && count > 0; i++)                                                                \
            if (key_of(x[i]) == threshold) words[i / 64] |= (uint64_t)1 << i % 64, count--;                        \
    }
CK_TIES(float, int32_t, ck_key_f32, f32)
CK_TIES(double, int64_t, ck_key_f64, f64)
