/* pare/mask.h — masks. 1 = keep. Held as packed bits inside; one byte per element (bool) at the border. */
#ifndef PARE_MASK_H
#define PARE_MASK_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A mask over one array. */
typedef struct pare_mask pare_mask;

/* A mask of all ones, or from a bool/uint8 array (non-zero = keep). ndim ≤ PARE_MAX_NDIM. [any] Since 1.0. */
PARE_API int32_t pare_mask_create(const int64_t *shape, int32_t ndim, pare_mask **out, pare_error *error);
PARE_API int32_t pare_mask_from(const pare_tensor *bytes, pare_mask **out, pare_error *error);
PARE_API int32_t pare_mask_copy(const pare_mask *mask, pare_mask **out, pare_error *error);
PARE_API void pare_mask_destroy(pare_mask *mask);

PARE_API int32_t pare_mask_ndim(const pare_mask *mask);                    /* [any] Since 1.0. */
PARE_API int64_t pare_mask_dimension(const pare_mask *mask, int32_t axis); /* -1 out of range. [any] Since 1.0. */
PARE_API int64_t pare_mask_elements(const pare_mask *mask);                /* [any] Since 1.0. */
PARE_API int64_t pare_mask_kept(const pare_mask *mask);                    /* [any] Since 1.0. */

/* Write the mask as bytes 0/1 into a bool or uint8 array of the same shape. [any] Since 1.0. */
PARE_API int32_t pare_mask_read(const pare_mask *mask, pare_tensor *out, pare_error *error);

#define PARE_MASK_AND 1
#define PARE_MASK_OR 2
#define PARE_MASK_XOR 3
#define PARE_MASK_WITHOUT 4 /* a and not b */

/* target = target (op) other; shapes must be equal. [instance] Since 1.0. */
PARE_API int32_t pare_mask_combine(pare_mask *target, const pare_mask *other, int32_t operation, pare_error *error);
PARE_API int32_t pare_mask_invert(pare_mask *target, pare_error *error);

/* 1 in *out if every unit of the pattern is all kept or all removed (NM: exactly n kept in every group). *violations, may be
 * NULL: how many are not. [any] Since 1.0. */
PARE_API int32_t pare_mask_complies(const pare_mask *mask, const pare_pattern *pattern, int32_t *out, int64_t *violations,
                                    pare_error *error);

/* A mask of another granularity: a unit of `pattern` is kept if any (keep_any = 1) or all (0) of its elements are. Only where the
 * units are unions of elements: not NM. [any] Since 1.0. */
PARE_API int32_t pare_mask_coarsen(const pare_mask *mask, const pare_pattern *pattern, int32_t keep_any, pare_mask **out,
                                   pare_error *error);

/* Mask of the best-scored units of one array: keeps exactly units - round(sparsity · units) of them, ties to the lower flat index;
 * NM: best n of each m. `scores`: float32 or float64, contiguous, one per unit (per element for NM). `shape`: of the array.
 * [any] Since 1.0. */
PARE_API int32_t pare_mask_select(const pare_tensor *scores, const int64_t *shape, int32_t ndim, const pare_pattern *pattern,
                                  double sparsity, pare_mask **out, pare_error *error);

/* Score an array by a criterion and select (`sparsity` in [0,1], 1 removes all) in one go, without a score buffer: pare_score then pare_mask_select. `weight`: rows
 * first, any float dtype. `options`: key, value, key, value, NULL; or NULL. [any] Since 1.0. */
PARE_API int32_t pare_select(pare_context *context, const char *criterion, const char *const *options, const pare_tensor *weight,
                             const pare_pattern *pattern, double sparsity, pare_mask **out, const pare_run *run,
                             pare_error *error);

/* The mask attached to a parameter (a copy), PARE_E_NOT_FOUND if none; attach one; detach (original values show again). Attaching
 * refuses another shape, and a parameter that a reader with another use shares (see `reason`). [instance] Since 1.0. */
PARE_API int32_t pare_model_get_mask(const pare_model *model, uint32_t parameter, pare_mask **out, pare_error *error);
PARE_API int32_t pare_model_set_mask(pare_model *model, uint32_t parameter, const pare_mask *mask, pare_error *error);
PARE_API int32_t pare_model_clear_mask(pare_model *model, uint32_t parameter, pare_error *error);

/* All masks of a model in one file beside it (safetensors: packed bits, shapes and pattern in the metadata; docs/mask-file.md), and
 * back: names and shapes must match, nothing is attached otherwise. [instance] Since 1.0. */
PARE_API int32_t pare_model_save_masks(pare_model *model, const char *path, int32_t overwrite, pare_error *error);
PARE_API int32_t pare_model_load_masks(pare_model *model, const char *path, pare_error *error);

#ifdef __cplusplus
}
#endif
#endif /* PARE_MASK_H */
