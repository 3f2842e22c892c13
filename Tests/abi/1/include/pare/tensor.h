/* pare/tensor.h — the tensor view: how every array crosses the border.
 *
 * The layout is that of DLPack's DLTensor (version 1.x), byte for byte, so a view can be handed to or taken from
 * any DLPack-aware library without copying. Here: CPU memory only, strides always set, borrowed for the call.
 */
#ifndef PARE_TENSOR_H
#define PARE_TENSOR_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Type codes, equal to DLPack's DLDataTypeCode. Since 1.0. */
#define PARE_TYPE_INT 0
#define PARE_TYPE_UINT 1
#define PARE_TYPE_FLOAT 2
#define PARE_TYPE_BFLOAT 4
#define PARE_TYPE_BOOL 6

/* Element type: (code, bits). Known pairs: float 16/32/64, bfloat 16, int 8/16/32/64, uint 8, bool 8; lanes is 1.
 * 16-bit floats travel as their bits. Frozen. Since 1.0. */
typedef struct pare_dtype {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} pare_dtype;

/* Device, equal to DLDevice. type 1 = CPU, the only one accepted. Frozen. Since 1.0. */
typedef struct pare_device {
    int32_t type;
    int32_t id;
} pare_device;

/* A view of an n-dimensional array; owns nothing. Frozen, 48 bytes, layout of DLTensor. Since 1.0.
 *   data         address of the allocation; element (0,…,0) lies at (char *)data + byte_offset. NULL only if empty.
 *   ndim         0 … 8; 0 is a scalar.
 *   shape        ndim sizes ≥ 0.
 *   strides      ndim strides counted in elements (not bytes); may be 0 (broadcast) or negative; never NULL for ndim > 0.
 * No alignment is promised. A `const pare_tensor *` argument is read-only in its elements too. */
typedef struct pare_tensor {
    void *data;
    pare_device device;
    int32_t ndim;
    pare_dtype dtype;
    int64_t *shape;
    int64_t *strides;
    uint64_t byte_offset;
} pare_tensor;

#define PARE_MAX_NDIM 8

/* What a parameter is for. Since 1.0. */
#define PARE_ROLE_OTHER 0
#define PARE_ROLE_WEIGHT 1        /* kernel of a convolution, matrix of a linear layer */
#define PARE_ROLE_BIAS 2
#define PARE_ROLE_NORM_SCALE 3    /* γ */
#define PARE_ROLE_NORM_SHIFT 4    /* β */
#define PARE_ROLE_NORM_MEAN 5     /* running statistics */
#define PARE_ROLE_NORM_VARIANCE 6
#define PARE_ROLE_EMBEDDING 7
#define PARE_ROLE_ARCHITECTURE 8  /* weights of the branches of a supernet */
#define PARE_ROLE_CONSTANT 9      /* shapes, indices, scalars: never pruned */

#ifdef __cplusplus
}
#endif
#endif /* PARE_TENSOR_H */
