/* pare/kinds/solver.h — per-layer repair: weights and what is known of their inputs in, mask and new weights out.
 *
 * y = W x with W of rows × cols (rows = outputs), inputs X of cols × tokens. A solver never sees X, only G = X Xᵀ / tokens.
 * Whatever the file's layout (Conv1D, transposed MatMul, convolution), the host hands over rows × cols.
 */
#ifndef PARE_KINDS_SOLVER_H
#define PARE_KINDS_SOLVER_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gram matrices by number. A host that has none answers NULL. Since 1.0. */
#define PARE_GRAM_CURRENT 0   /* inputs as the model pruned so far produces them */
#define PARE_GRAM_HELD_OUT 1  /* the same on tokens kept aside for judging */
#define PARE_GRAM_DENSE 2     /* inputs of the original model */
#define PARE_GRAM_SPARSE 3    /* inputs of the finished first sparse model (SDS) */

/* Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_solve_request pare_solve_request;
struct pare_solve_request {
    uint32_t struct_size;
    int32_t round;                /* 0 first prune; later rounds as the recipe defines */
    const char *parameter;
    const pare_tensor *weight;    /* rows × cols, float32, contiguous: what to start from */
    const pare_tensor *original;  /* rows × cols, float32: the dense weights, target of the repair; may equal weight */
    const pare_tensor *bias;      /* rows, or NULL */
    const pare_tensor *mask;      /* bool rows × cols given from outside (weights are repaired under it), or NULL */
    const pare_pattern *pattern;
    double sparsity;              /* ELEMENT, BLOCK, ROW, COLUMN: fraction of units to remove */
    int64_t tokens;               /* behind the Gram matrix */
    uint64_t seed;
    void *host_data;
    /* Gram matrix `which`, cols × cols, float32 or float64, symmetric, or NULL; valid until solve returns. [any] */
    const pare_tensor *(*gram)(const pare_solve_request *self, int32_t which);
    /* Mean of each input feature, cols, or NULL (bias compensation). [any] */
    const pare_tensor *(*input_mean)(const pare_solve_request *self, int32_t which);
    const pare_run *run;          /* may be NULL */
};

/* Filled by the solver into the host's buffers. Growing. Since 1.0. */
typedef struct pare_solve_result {
    uint32_t struct_size;
    uint32_t reserved;   /* 0 */
    pare_tensor *weight; /* rows × cols, float32, holds a copy of request->weight on entry */
    pare_tensor *mask;   /* bool rows × cols, all ones on entry; 1 = kept; must obey the pattern and the count */
    pare_tensor *bias;   /* rows, or NULL when there is none */
    void *host_data;
    /* Report a number (layer error, steps, damping used). [instance] */
    void (*report)(const struct pare_solve_result *self, const char *name, double value);
} pare_solve_result;

/* Growing. Since 1.0. */
typedef struct pare_solver {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* [instance]; on failure the host drops what was written. */
    int32_t (*solve)(pare_instance *self, const pare_solve_request *request, pare_solve_result *result, pare_error *error);
} pare_solver;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_SOLVER_H */
