/* pare/graph.h — looking at a model's graph. Nodes and values have dense indices from 0; nodes are in execution order. */
#ifndef PARE_GRAPH_H
#define PARE_GRAPH_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Growing; strings live until the model is destroyed. Since 1.0. */
typedef struct pare_node_info {
    uint32_t struct_size;
    uint32_t inputs, outputs;  /* counts */
    uint32_t attributes;
    const char *name;          /* may be "" */
    const char *op;            /* ONNX operator, "Conv" */
    const char *domain;        /* "" for ONNX's own */
    int64_t macs;              /* multiply-accumulates of one sample; -1 unknown */
    int64_t parameters;        /* elements of the parameters it reads */
    int32_t known;             /* 0 = operator not known to Pare: kept untouched, never pruned through */
    int32_t reserved;
} pare_node_info;

/* A value (tensor that flows). Growing. Since 1.0. */
typedef struct pare_value_info {
    uint32_t struct_size;
    int32_t ndim;           /* -1 = shape unknown */
    const char *name;
    const int64_t *shape;   /* -1 for a dimension that is not known; borrowed until the model is destroyed */
    pare_dtype dtype;       /* bits 0 = unknown */
    int32_t parameter;      /* index of the parameter it is, or -1 */
    int32_t producer;       /* node, or -1 for an input or parameter */
    uint32_t readers;
} pare_value_info;

PARE_API uint32_t pare_graph_node_count(const pare_model *model);  /* 0 when there is no graph. [any] Since 1.0. */
PARE_API uint32_t pare_graph_value_count(const pare_model *model); /* [any] Since 1.0. */

/* Node or value by index; out->struct_size set by the caller. [any] Since 1.0. */
PARE_API int32_t pare_graph_node(const pare_model *model, uint32_t node, pare_node_info *out, pare_error *error);
PARE_API int32_t pare_graph_value(const pare_model *model, uint32_t value, pare_value_info *out, pare_error *error);

/* Value index of a node's input or output; -1 for an omitted optional one or an index out of range. [any] Since 1.0. */
PARE_API int32_t pare_graph_node_input(const pare_model *model, uint32_t node, uint32_t index);
PARE_API int32_t pare_graph_node_output(const pare_model *model, uint32_t node, uint32_t index);

/* Node that reads a value: reader `index` of its `readers`; -1 past the end. [any] Since 1.0. */
PARE_API int32_t pare_graph_value_reader(const pare_model *model, uint32_t value, uint32_t index);

/* Name of attribute `index` of a node, NULL past the end; and its value by name. Text is the ONNX text form
 * ("[1, 1]"); until the model is destroyed. [any] Since 1.0. */
PARE_API const char *pare_graph_attribute_name(const pare_model *model, uint32_t node, uint32_t index);
PARE_API const char *pare_graph_attribute_text(const pare_model *model, uint32_t node, const char *name);

/* Totals for one sample: MACs of all nodes with known counts, and how many nodes that could have some are unknown.
 * Outputs may be NULL. [any] Since 1.0. */
PARE_API int32_t pare_graph_totals(const pare_model *model, int64_t *macs, int64_t *parameters, uint32_t *unknown_nodes,
                                   pare_error *error);

#ifdef __cplusplus
}
#endif
#endif /* PARE_GRAPH_H */
