/* pare/kinds/criterion.h — importance of each unit of a mask. Larger means keep.
 *
 * The host presents every tensor in one shape: the leading `unit_ndim` axes enumerate the units, the trailing axes run
 * inside one unit. An element mask has no trailing axes: a LOCAL criterion that needs weights only may be shown it flat, any
 * other sees [out, in, kernel…]. N:M masks are scored by element. A row mask of [out, in, kh, kw] is seen as [out | in, kh, kw]; a
 * block mask as [R/h, C/w | h, w]; a column mask as [C | R]. All by strides, nothing is copied. A criterion therefore reduces
 * the trailing axes and never needs to know which granularity it serves.
 *
 * Other inputs come as views of the same shape; what is shared has stride 0 (an input norm along rows, γ along a row's
 * elements). Padded edges (PARE_REMAINDER_PAD) come as a float32 copy with zeros. So |W|·‖x‖ is one loop for every layer type.
 */
#ifndef PARE_KINDS_CRITERION_H
#define PARE_KINDS_CRITERION_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Inputs by number. A host that does not know a number answers NULL. Since 1.0. */
#define PARE_INPUT_GRADIENT 1
#define PARE_INPUT_INPUT_NORM 2       /* mean square of the input feature, float32 */
#define PARE_INPUT_HESSIAN_GRADIENT 3
#define PARE_INPUT_TWIN_GRADIENT 4
#define PARE_INPUT_NORM_SCALE 5       /* γ after the layer, one per output feature */
#define PARE_INPUT_OUTPUT_NORM 6
#define PARE_INPUT_MASK 7             /* bool, 1 = alive */
#define PARE_INPUT_DENSE_WEIGHT 8     /* values before any pruning */

/* Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_score_request pare_score_request;
struct pare_score_request {
    uint32_t struct_size;
    int32_t role;             /* PARE_ROLE_… of the parameter */
    const char *parameter;    /* its name */
    const pare_tensor *weight; /* any float dtype, any strides; see above */
    int32_t unit_ndim;        /* 0 … weight->ndim */
    int32_t granularity;
    int64_t first_unit;       /* position of the first unit of this call among all units of the parameter */
    int64_t total_units;      /* units of the whole parameter; larger than here only for LOCAL criteria */
    uint64_t parameter_key;   /* a stable hash of the name: with a seed and the unit's position it names a random draw */
    int32_t round, rounds;    /* 0 … rounds-1; 0, 1 for one-shot use */
    void *host_data;          /* the host's own */
    /* Input `which` as a view shaped like weight, or NULL if not collected; valid until score returns. [any] */
    const pare_tensor *(*input)(const pare_score_request *self, int32_t which);
    const pare_run *run;      /* may be NULL */
};

/* Growing. Since 1.0. */
typedef struct pare_criterion {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* Write one finite score per unit, in unit order, to `scores`: 1-d, contiguous, float32 (float64 with
     * PARE_FLAG_SCORES_F64), as long as the product of the unit axes; the host has filled it with NaN and checks that none is
     * left. NaN weights are the host's to refuse; a NaN score is a fault. Empty requests succeed. [instance] */
    int32_t (*score)(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error);
    /* Optional: rounds wanted to reach `sparsity` (SynFlow: 100); NULL means 1. [instance] */
    int32_t (*rounds)(pare_instance *self, double sparsity);
    /* Optional: fraction of units to keep after `round` of `rounds`, decreasing to 1 - sparsity; NULL means
     * (1 - sparsity)^((round + 1) / rounds). [instance] */
    double (*keep_fraction)(pare_instance *self, double sparsity, int32_t round, int32_t rounds);
} pare_criterion;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_CRITERION_H */
