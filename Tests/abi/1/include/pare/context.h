/* pare/context.h — a context: loaded plugins, threads, settings. Nothing in Pare is global but the code of loaded plugins. */
#ifndef PARE_CONTEXT_H
#define PARE_CONTEXT_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pare_context pare_context;

/* Product version, "1.2.0"; static. [any] Since 1.0. */
PARE_API const char *pare_version(void);

/* Interface version of this library: the caller's headers must have the same major. Outputs may be NULL. [any] Since 1.0. */
PARE_API void pare_abi_version(uint32_t *major, uint32_t *minor);

/* Short name of a status, "PARE_E_FORMAT"; "PARE_E_?" for unknown numbers; static. [any] Since 1.0. */
PARE_API const char *pare_status_name(int32_t status);

/* Settings of a context; zero means default. Growing. Since 1.0. */
typedef struct pare_context_config {
    uint32_t struct_size;
    uint32_t threads;          /* 0 = one per available processor */
    /* Colon-separated folders searched for plugins (files that end in .pare). NULL = PARE_PLUGIN_PATH if set (and the process
     * is not privileged), then the folder `pare` beside libpare. "" = load nothing. */
    const char *plugin_path;
    const void *reserved;      /* NULL */
} pare_context_config;

/* Make a context and load the plugins of its search path. A plugin that cannot be loaded is left out and listed by
 * pare_context_problem; the others work. `config` may be NULL. Destroy with pare_context_destroy. [any] Since 1.0. */
PARE_API int32_t pare_context_create(const pare_context_config *config, pare_context **out, pare_error *error);

/* Frees the context; models and masks made from it stay valid. Plugin code stays mapped. [load] Since 1.0. */
PARE_API void pare_context_destroy(pare_context *context);

/* Problems met while loading the search path: text of problem `index` (until destroy), NULL past the end. [any] Since 1.0. */
PARE_API const char *pare_context_problem(const pare_context *context, uint32_t index);

/* Load one plugin file. Nothing is registered if any of its plugins is refused (an id taken names both files). Loading the same
 * file again does nothing. [load] Since 1.0. */
PARE_API int32_t pare_context_load(pare_context *context, const char *path, pare_error *error);

/* Register a module that lives in the caller's own program. [load] Since 1.0. */
PARE_API int32_t pare_context_register_module(pare_context *context, pare_plugin_entry_fn entry, pare_error *error);

/* Register a plain C function of any shared library as a criterion, from a JSON description (docs/plain-functions.md): the text
 * itself, or the path of a file if it does not begin with '{'. The function is first called in a child process on made-up data;
 * a crash, hang or wrong output there refuses it. [load] Since 1.0. */
PARE_API int32_t pare_context_register_function(pare_context *context, const char *description, pare_error *error);

/* A criterion that is a function of the caller's program. `weights` is float32, contiguous, units × elements; write one score per
 * unit. Return PARE_OK or a status; `message` (may be left alone) is shown to the user. Growing. Since 1.0. */
typedef struct pare_callback_criterion {
    uint32_t struct_size;
    uint32_t flags;   /* PARE_FLAG_… */
    const char *id;
    const char *summary;
    void *user;
    /* May arrive on any thread; one at a time unless PARE_FLAG_THREAD_SAFE. [instance] */
    int32_t (*score)(void *user, const char *parameter, const float *weights, int64_t units, int64_t elements, float *scores,
                     char *message, uint64_t message_capacity);
    void (*destroy)(void *user); /* called once when the context goes away, never if registering failed; may be NULL. [load] */
} pare_callback_criterion;

/* [load] Since 1.0. */
PARE_API int32_t pare_context_register_criterion(pare_context *context, const pare_callback_criterion *criterion,
                                                 pare_error *error);

/* A registered plugin. Strings live until the context is destroyed. Growing. Since 1.0. */
typedef struct pare_plugin_info {
    uint32_t struct_size;
    uint32_t flags;         /* PARE_FLAG_… */
    uint32_t needs;         /* PARE_NEED_… */
    uint32_t granularities;
    uint32_t option_count;
    uint32_t reserved;
    const char *kind, *id, *version, *summary, *source, *license;
    const char *module_id;
    const char *path;       /* file it came from; "" for one registered by the program */
} pare_plugin_info;

/* Number of plugins of a kind (NULL: of all kinds). Sorted by kind, then id. [any] Since 1.0. */
PARE_API uint32_t pare_plugin_count(const pare_context *context, const char *kind);

/* Plugin `index` among those of `kind` (NULL: of all kinds); out->struct_size set by the caller. [any] Since 1.0. */
PARE_API int32_t pare_plugin_at(const pare_context *context, const char *kind, uint32_t index, pare_plugin_info *out,
                                pare_error *error);

/* Plugin by id; PARE_E_NOT_FOUND names the nearest id in `hint`. [any] Since 1.0. */
PARE_API int32_t pare_plugin_find(const pare_context *context, const char *kind, const char *id, pare_plugin_info *out,
                                  pare_error *error);

/* Entry `index` of a plugin's option schema; NULL past the end or for an unknown plugin. Until destroy. [any] Since 1.0. */
PARE_API const pare_option_info *pare_plugin_option(const pare_context *context, const char *kind, const char *id,
                                                    uint32_t index);

/* Score an array with no model at all. `weight` as rows first ([out, in, …], any float dtype and strides); `pattern` NULL =
 * element. `options`: key, value, key, value, NULL; or NULL. `scores`: contiguous float32 or float64, one number per unit, in
 * unit order. [any] Since 1.0. */
PARE_API int32_t pare_score(pare_context *context, const char *criterion, const char *const *options, const pare_tensor *weight,
                            const pare_pattern *pattern, pare_tensor *scores, const pare_run *run, pare_error *error);

#ifdef __cplusplus
}
#endif
#endif /* PARE_CONTEXT_H */
