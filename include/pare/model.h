/* pare/model.h — a model: parameters, and a graph where the format has one.
 *
 * Files are mapped, never slurped: opening costs the header, a parameter costs its pages while it is looked at. Changes (masks,
 * new values) live beside the mapped file until the model is saved; the file that was opened is never written.
 */
#ifndef PARE_MODEL_H
#define PARE_MODEL_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pare_model pare_model;

#define PARE_FORMAT_ONNX 1
#define PARE_FORMAT_SAFETENSORS 2  /* one file */
#define PARE_FORMAT_SHARDED 3      /* model.safetensors.index.json and its shards */
#define PARE_FORMAT_HUGGING_FACE 4 /* folder: config.json, weights, tokenizer */
#define PARE_FORMAT_NPY 5          /* one array */

/* Open a model by path (file or folder). PARE_E_NOT_FOUND if there is none, PARE_E_IO if it cannot be read. Destroy with pare_model_destroy. [any] Since 1.0. */
PARE_API int32_t pare_model_open(pare_context *context, const char *path, pare_model **out, pare_error *error);

/* A model made of arrays in memory; parameters are added with pare_model_add. Saved as safetensors. [any] Since 1.0. */
PARE_API int32_t pare_model_create(pare_context *context, pare_model **out, pare_error *error);

/* Add a copy of an array. Contiguous or not, any dtype. [instance] Since 1.0. */
PARE_API int32_t pare_model_add(pare_model *model, const char *name, const pare_tensor *value, int32_t role, pare_error *error);

/* [instance] Since 1.0. */
PARE_API void pare_model_destroy(pare_model *model);

PARE_API int32_t pare_model_format(const pare_model *model); /* PARE_FORMAT_…; 0 for a model made in memory. [any] Since 1.0. */

/* A parameter. Strings and arrays live until the model is destroyed. Growing. Since 1.0. */
typedef struct pare_parameter_info {
    uint32_t struct_size;
    int32_t role;        /* PARE_ROLE_… */
    const char *name;
    pare_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    int64_t elements;
    int64_t bytes;       /* as stored */
    uint32_t readers;    /* nodes that read it; 0 when there is no graph */
    int32_t prunable;    /* 1 if a prune request would consider it by default */
    int32_t masked;      /* 1 if a mask is attached */
    int32_t reserved;
    const char *reason;  /* why it is not prunable; "" when it is */
} pare_parameter_info;

PARE_API uint32_t pare_parameter_count(const pare_model *model); /* [any] Since 1.0. */

/* Parameter `index` in file order; out->struct_size set by the caller. [any] Since 1.0. */
PARE_API int32_t pare_parameter_at(const pare_model *model, uint32_t index, pare_parameter_info *out, pare_error *error);

/* Index by name; PARE_E_NOT_FOUND names the nearest one. [any] Since 1.0. */
PARE_API int32_t pare_parameter_find(const pare_model *model, const char *name, uint32_t *index, pare_error *error);

/* Read-only view of the current values, masks applied. Zero-copy for an unchanged parameter (it points into the mapped file).
 * out->shape and strides too live until the parameter is next changed or the model destroyed. [instance] Since 1.0. */
PARE_API int32_t pare_parameter_view(pare_model *model, uint32_t index, pare_tensor *out, pare_error *error);

/* Replace the values: same shape; converted to the parameter's dtype if that differs. Detaches a mask. [instance] Since 1.0. */
PARE_API int32_t pare_parameter_set(pare_model *model, uint32_t index, const pare_tensor *value, pare_error *error);

/* Metadata entries of the file (ONNX metadata_props, safetensors __metadata__). NULL past the end. Until the model is changed
 * or destroyed. [any] Since 1.0. */
PARE_API const char *pare_model_metadata_key(const pare_model *model, uint32_t index);
PARE_API const char *pare_model_metadata_value(const pare_model *model, uint32_t index);

/* How to save. Zero means default. Growing. Since 1.0. */
typedef struct pare_save_options {
    uint32_t struct_size;
    int32_t format;       /* 0 = as it was opened */
    int32_t overwrite;    /* 0 = an existing target is an error */
    int32_t no_provenance; /* 1 = leave metadata as it is */
} pare_save_options;

/* Write the model. The target appears whole or not at all (temporary file, fsync, rename). What was not changed is written byte for
 * byte. Saving over the file that was opened is refused with PARE_E_ARGUMENT. [instance] Since 1.0. */
PARE_API int32_t pare_model_save(pare_model *model, const char *path, const pare_save_options *options, const pare_run *run,
                                 pare_error *error);

#ifdef __cplusplus
}
#endif
#endif /* PARE_MODEL_H */
