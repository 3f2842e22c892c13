/* pare/kinds/allocator.h — how much to prune where.
 *
 * The answer is a pool and a sparsity per layer. Layers of one pool are ranked together; the pool loses as many units as the
 * sum over its layers of sparsity times units. So `uniform` gives each layer its own pool, `global` puts all into pool 0, and
 * mixed schemes (pools by shape or by stage) need nothing more. The host turns the answer into exact counts: the whole
 * model loses round(target · units), fractions go to the pools with the largest remainders, lowest pool first on ties.
 */
#ifndef PARE_KINDS_ALLOCATOR_H
#define PARE_KINDS_ALLOCATOR_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PARE_LAYER_OTHER 0
#define PARE_LAYER_CONV 1
#define PARE_LAYER_LINEAR 2
#define PARE_LAYER_EMBEDDING 3
#define PARE_LAYER_RECURRENT 4
#define PARE_LAYER_ATTENTION 5

/* One prunable layer. Growing; borrowed for the call. Since 1.0. */
struct pare_layer {
    uint32_t struct_size;
    int32_t type;         /* PARE_LAYER_… */
    const char *name;     /* of its weight parameter */
    int32_t ndim;
    int32_t role;
    const int64_t *shape; /* [out, in / groups, kernel …] whatever the file's layout */
    int64_t elements;     /* product of shape */
    int64_t units;        /* elements, or blocks, rows, … of the mask; elements where nothing is pruned */
    int64_t macs;         /* multiply-accumulates of one sample; -1 unknown */
    int64_t groups;
    int32_t depth;        /* position in the graph's order of execution, or in the file where there is no graph; ascending */
    int32_t reserved;     /* 0 */
};

/* Statistics by number for `statistic`. Since 1.0. */
#define PARE_STAT_SCORE_SUM 1
#define PARE_STAT_SCORE_OUTLIERS 2    /* argument: factor M; fraction of scores above M times their mean (OWL) */
#define PARE_STAT_WEIGHT_L1 3
#define PARE_STAT_WEIGHT_L2 4

/* Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_allocate_request pare_allocate_request;
struct pare_allocate_request {
    uint32_t struct_size;
    uint32_t layer_count;
    double sparsity;  /* target for all layers together, [0,1) */
    void *host_data;  /* the host's own */
    /* Layer `index` < layer_count, in file order; valid until allocate returns. [any] */
    const pare_layer *(*layer)(const pare_allocate_request *self, uint32_t index);
    /* A statistic of a layer, or NaN if this host has none. [any] */
    double (*statistic)(const pare_allocate_request *self, uint32_t index, int32_t which, double argument);
    const pare_run *run; /* may be NULL */
};

/* Growing. Since 1.0. */
typedef struct pare_allocator {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* Fill sparsity[i] in [0,1] and pool[i] ≥ 0 for i < layer_count. An impossible target is PARE_E_ARGUMENT with the largest
     * possible one in `expected`. [instance] */
    int32_t (*allocate)(pare_instance *self, const pare_allocate_request *request, double *sparsity, int32_t *pool,
                        pare_error *error);
} pare_allocator;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_ALLOCATOR_H */
