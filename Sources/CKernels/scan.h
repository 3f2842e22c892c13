/* Scans of contiguous elements. Included once per instruction set. */

/* Blocks are tested whole, without a branch per element; only the block with a hit is searched. */
#define CK_FIND(T, test)                                        \
    {                                                           \
        const T *s = src;                                       \
        size_t start = 0;                                       \
        for (; start + 512 <= n; start += 512) {                \
            int any = 0;                                        \
            for (size_t i = start; i < start + 512; i++) {      \
                const T v = s[i];                               \
                any |= (test);                                  \
            }                                                   \
            if (any) break;                                     \
        }                                                       \
        for (size_t i = start; i < n; i++) {                    \
            const T v = s[i];                                   \
            if (test) return i;                                 \
        }                                                       \
        return n;                                               \
    }

size_t CK_NAME(first_nonfinite)(int dtype, const void *src, size_t n) {
    switch (dtype) {
    case CK_F32: CK_FIND(u32u, (v & 0x7f800000u) == 0x7f800000u)
    case CK_F64: CK_FIND(u64u, (v & 0x7ff0000000000000u) == 0x7ff0000000000000u)
    case CK_F16: CK_FIND(u16u, (v & 0x7c00u) == 0x7c00u)
    case CK_BF16: CK_FIND(u16u, (v & 0x7f80u) == 0x7f80u)
    }
    return n;
}
#undef CK_FIND

#define CK_COUNT(T, test)                                                                   \
    {                                                                                       \
        const T *s = src;                                                                   \
        size_t total = 0;                                                                   \
        for (size_t start = 0; start < n; start += 16384) {                                 \
            const size_t end = n - start < 16384 ? n : start + 16384;                       \
            uint32_t count = 0;                                                             \
            for (size_t i = start; i < end; i++) {                                          \
                const T v = s[i];                                                           \
                count += (test);                                                            \
            }                                                                               \
            total += count;                                                                 \
        }                                                                                   \
        return total;                                                                       \
    }

size_t CK_NAME(count_zeros)(int dtype, const void *src, size_t n) {
    switch (dtype) {
    case CK_F32: CK_COUNT(u32u, (v & 0x7fffffffu) == 0)
    case CK_F64: CK_COUNT(u64u, (v & 0x7fffffffffffffffu) == 0)
    case CK_F16:
    case CK_BF16: CK_COUNT(u16u, (v & 0x7fffu) == 0)
    case CK_I8:
    case CK_U8:
    case CK_BOOL: CK_COUNT(uint8_t, v == 0)
    case CK_I16: CK_COUNT(u16u, v == 0)
    case CK_I32: CK_COUNT(u32u, v == 0)
    case CK_I64: CK_COUNT(u64u, v == 0)
    }
    return 0;
}
#undef CK_COUNT

#define CK_BITS(T, test)                                            \
    {                                                               \
        const T *s = src;                                           \
        for (size_t start = 0; start < n; start += 64) {            \
            const size_t count = n - start < 64 ? n - start : 64;   \
            uint64_t word = 0;                                      \
            for (size_t i = 0; i < count; i++) {                    \
                const T v = s[start + i];                           \
                word |= (uint64_t)(test) << i;                      \
            }                                                       \
            words[start / 64] = word;                               \
        }                                                           \
        break;                                                      \
    }

void CK_NAME(nonzero_bits)(int dtype, const void *src, size_t n, uint64_t *words) {
    switch (dtype) {
    case CK_F32: CK_BITS(u32u, (v & 0x7fffffffu) != 0)
    case CK_F64: CK_BITS(u64u, (v & 0x7fffffffffffffffu) != 0)
    case CK_F16:
    case CK_BF16: CK_BITS(u16u, (v & 0x7fffu) != 0)
    case CK_I8:
    case CK_U8:
    case CK_BOOL: CK_BITS(uint8_t, v != 0)
    case CK_I16: CK_BITS(u16u, v != 0)
    case CK_I32: CK_BITS(u32u, v != 0)
    case CK_I64: CK_BITS(u64u, v != 0)
    }
}
#undef CK_BITS
