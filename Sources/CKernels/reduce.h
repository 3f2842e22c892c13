/* Reductions. Sixteen partial sums whatever the registers, no fused multiply-add: the order of rounding is part of the result.
 * Included once per instruction set. */
#pragma STDC FP_CONTRACT OFF

#define CK_ADD_ABS(a, v) ((a) + __builtin_fabs(v))
#define CK_ADD_SQUARE(a, v) ((a) + (v) * (v))
#define CK_ADD(a, v) ((a) + (v))
#define CK_MAX(a, v) (__builtin_fabs(v) > (a) ? __builtin_fabs(v) : (a))
#define CK_MAX2(a, b) ((b) > (a) ? (b) : (a))

#define CK_RUN(step, join)                                                 \
    {                                                                      \
        double lane[16] = {0};                                             \
        size_t i = 0;                                                      \
        for (; i + 16 <= n; i += 16)                                       \
            for (size_t l = 0; l < 16; l++) {                              \
                const double v = x[i + l];                                 \
                lane[l] = step(lane[l], v);                                \
            }                                                              \
        for (size_t l = 0; i + l < n; l++) {                               \
            const double v = x[i + l];                                     \
            lane[l] = step(lane[l], v);                                    \
        }                                                                  \
        for (size_t half = 8; half > 0; half /= 2)                         \
            for (size_t l = 0; l < half; l++) lane[l] = join(lane[l], lane[l + half]); \
        return lane[0];                                                    \
    }

/* Short rows: one sum each, in order. */
#define CK_ROWS(step)                                                      \
    {                                                                      \
        if (width == 1) {                                                  \
            for (size_t r = 0; r < rows; r++) {                            \
                const double v = x[r];                                     \
                sums[r] = step(sums[r], v);                                \
            }                                                              \
            break;                                                         \
        }                                                                  \
        for (size_t r = 0; r < rows; r++) {                                \
            double sum = sums[r];                                          \
            for (size_t i = 0; i < width; i++) {                           \
                const double v = x[r * width + i];                         \
                sum = step(sum, v);                                        \
            }                                                              \
            sums[r] = sum;                                                 \
        }                                                                  \
        break;                                                             \
    }

#define CK_REDUCE(T, suffix)                                               \
    double CK_NAME(reduce_##suffix)(int op, const T *x, size_t n) {        \
        switch (op) {                                                      \
        case 1: CK_RUN(CK_ADD_ABS, CK_ADD)                                 \
        case 2:                                                            \
        case 5: CK_RUN(CK_ADD_SQUARE, CK_ADD)                              \
        case 3: CK_RUN(CK_MAX, CK_MAX2)                                    \
        default: CK_RUN(CK_ADD, CK_ADD)                                    \
        }                                                                  \
    }                                                                      \
    void CK_NAME(reduce_rows_##suffix)(int op, const T *x, size_t rows, size_t width, double *sums) { \
        switch (op) {                                                      \
        case 1: CK_ROWS(CK_ADD_ABS)                                        \
        case 2:                                                            \
        case 5: CK_ROWS(CK_ADD_SQUARE)                                     \
        case 3: CK_ROWS(CK_MAX)                                            \
        default: CK_ROWS(CK_ADD)                                           \
        }                                                                  \
    }
CK_REDUCE(float, f32)
CK_REDUCE(double, f64)
#undef CK_REDUCE
#undef CK_ROWS
#undef CK_RUN
