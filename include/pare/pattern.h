/* pare/pattern.h — granularity of a mask: what is kept or removed together.
 *
 * Every weight is seen as a matrix: rows = output features, columns = input features times kernel positions. A tensor of
 * shape [out, in, kh, kw] has `out` rows and in·kh·kw columns; axis 1 runs slowest inside a row. Layouts that store the
 * input first (ONNX MatMul, GPT-2's Conv1D) are transposed by the view that the host hands out.
 */
#ifndef PARE_PATTERN_H
#define PARE_PATTERN_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Granularities. Since 1.0. */
#define PARE_GRANULARITY_ELEMENT 0
#define PARE_GRANULARITY_NM 1      /* n KEPT out of every m consecutive input features, at one row and kernel position */
#define PARE_GRANULARITY_BLOCK 2   /* block_rows × block_cols */
#define PARE_GRANULARITY_ROW 3     /* one output feature */
#define PARE_GRANULARITY_COLUMN 4  /* one column of the matrix */
#define PARE_GRANULARITY_CHANNEL 5 /* one input channel of a convolution (all rows, all kernel positions) */

/* What to do where m or a block does not divide the dimension. Since 1.0. */
#define PARE_REMAINDER_REFUSE 0 /* an error that names the tensor */
#define PARE_REMAINDER_SKIP 1   /* leave that tensor dense; the report says so */
#define PARE_REMAINDER_PAD 2    /* treat the missing elements as zeros that are pruned first */

/* Growing. Since 1.0. */
typedef struct pare_pattern {
    uint32_t struct_size;
    int32_t granularity;
    int32_t n, m;                   /* NM: 1 ≤ n < m ≤ 64; n is the number KEPT, so 2:4 keeps two of four */
    int32_t block_rows, block_cols; /* BLOCK: ≥ 1 each */
    int32_t remainder;
    int32_t reserved;               /* 0 */
} pare_pattern;

#ifdef __cplusplus
}
#endif
#endif /* PARE_PATTERN_H */
