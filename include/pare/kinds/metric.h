/* pare/kinds/metric.h — numbers about a model and its masks. */
#ifndef PARE_KINDS_METRIC_H
#define PARE_KINDS_METRIC_H

#include "../plugin.h"
#include "allocator.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_metric_request pare_metric_request;
struct pare_metric_request {
    uint32_t struct_size;
    uint32_t layer_count;     /* parameters of the model, prunable or not */
    const pare_pattern *pattern; /* that the masks were made for, or NULL */
    void *host_data;
    /* Layer `index` < layer_count, in file order; valid until measure returns. [any] */
    const pare_layer *(*layer)(const pare_metric_request *self, uint32_t index);
    /* 1 if the layer was offered for pruning. [any] */
    int32_t (*prunable)(const pare_metric_request *self, uint32_t index);
    /* Values as they are now (masks applied), as stored; NULL if it cannot be had. Valid until the next call of weight. [instance] */
    const pare_tensor *(*weight)(const pare_metric_request *self, uint32_t index);
    /* Kept mask, bool, shaped like the weight; NULL where none was made. Valid until the next call of mask. [instance] */
    const pare_tensor *(*mask)(const pare_metric_request *self, uint32_t index);
    /* Rows × columns view of the weight (pattern.h): writes the four numbers, strides in elements of the stored array; 0 if it
     * is not a matrix. The mask lies like a contiguous array of the weight's shape. [any] */
    int32_t (*matrix)(const pare_metric_request *self, uint32_t index, int64_t *rows, int64_t *cols, int64_t *row_stride,
                      int64_t *col_stride);
    /* Emit one number. index -1 = whole model. `unit`: "", "elements", "bytes", "MACs", "1" (a ratio). [instance] */
    void (*emit)(const pare_metric_request *self, int32_t index, const char *name, double value, const char *unit);
    /* Emit a series of `count` numbers (spectrum, histogram). [instance] */
    void (*emit_series)(const pare_metric_request *self, int32_t index, const char *name, const double *values, int64_t count,
                        const char *unit);
    const pare_run *run; /* may be NULL */
};

/* Growing. Since 1.0. */
typedef struct pare_metric {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    int32_t (*measure)(pare_instance *self, const pare_metric_request *request, pare_error *error); /* [instance] */
} pare_metric;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_METRIC_H */
