/* pare/prune.h — prune requests and their reports. */
#ifndef PARE_PRUNE_H
#define PARE_PRUNE_H

#include "mask.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pare_report pare_report;

/* What to prune, how much, by which plugin. Zero and NULL mean default. Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_prune_request {
    uint32_t struct_size;
    int32_t strict;              /* 1: a request that changes nothing fails with PARE_E_NOTHING_TO_DO */
    const char *criterion;       /* id; NULL = "magnitude" */
    const char *allocation;      /* id; NULL = "uniform" */
    const pare_pattern *pattern; /* NULL = element */
    double sparsity;             /* [0,1); for NM ignored (1 - n/m) */
    /* Options as key, value, key, value, NULL. A key may be prefixed "criterion." or "allocation." where both have it. */
    const char *const *options;
    /* Name patterns with * and ?, NULL-terminated. A parameter is considered if it is prunable by default or matches `include`
     * (include given: only those), and matches no `exclude`. A pattern that matches nothing is an error. */
    const char *const *include;
    const char *const *exclude;
    int32_t allow_nonfinite;     /* 1: NaN and infinite weights are scored as 0 and +inf instead of refused */
    int32_t dry_run;             /* 1: fill the report, attach no mask */
    int32_t keep_masks;          /* 1: what a mask already attached has removed stays removed */
    int32_t reserved;            /* 0 */
    uint64_t seed;               /* not 0: goes to a plugin's option `seed` where it has one that is not set */
    const pare_run *run;         /* may be NULL */
} pare_prune_request;

/* Decide and attach masks. *report (may be NULL) is to be destroyed by the caller; it is made on success only. [instance] Since 1.0. */
PARE_API int32_t pare_prune(pare_context *context, pare_model *model, const pare_prune_request *request, pare_report **report,
                            pare_error *error);

/* Frees a report and every string read from it. NULL is fine. [instance] Since 1.0. */
PARE_API void pare_report_destroy(pare_report *report);

/* The whole report as JSON (docs/report.md); until the report is destroyed. [any] Since 1.0. */
PARE_API const char *pare_report_json(const pare_report *report);

/* One layer of a report. Strings live until the report is destroyed. Growing. Since 1.0. */
typedef struct pare_report_layer {
    uint32_t struct_size;
    int32_t pruned;      /* 1 = a mask was made */
    const char *name;
    const char *note;    /* why not, or what was padded or skipped; may be "" */
    int64_t elements;
    int64_t kept;        /* elements kept by the mask */
    int64_t zeros;       /* zero elements now, by mask or by themselves */
    double target;       /* sparsity that the allocator asked for; NaN if none */
} pare_report_layer;

PARE_API uint32_t pare_report_layer_count(const pare_report *report); /* [any] Since 1.0. */

/* Layer `index` < layer count; out->struct_size set by the caller. [any] Since 1.0. */
PARE_API int32_t pare_report_layer_at(const pare_report *report, uint32_t index, pare_report_layer *out, pare_error *error);
PARE_API double pare_report_sparsity(const pare_report *report); /* zeros / elements over the pruned layers. [any] Since 1.0. */

/* Run a metric on a model as it is now; a report whose JSON holds its numbers. `options` as above. [instance] Since 1.0. */
PARE_API int32_t pare_measure(pare_context *context, pare_model *model, const char *metric, const char *const *options,
                              pare_report **report, pare_error *error);

#ifdef __cplusplus
}
#endif
#endif /* PARE_PRUNE_H */
