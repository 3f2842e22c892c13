/* pare/plugin.h — umbrella for plugin authors. A plugin includes this, links to nothing and exports one function.
 *
 * A shared library is a module. It lists plugins; each plugin is of one kind (criterion, allocator, …) and makes instances.
 *
 *     PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
 *     { return &module; }
 *
 * Ages: a host accepts a module when the majors are equal and its own minor is at least the module's `min_host_minor`. A
 * module built against a newer header loads in an older host; what the host lacks is found missing (get_service returns
 * NULL, PARE_HAS is false) and the plugin does without or says so. An older module in a newer host sees zeros for what it
 * does not know. Rationale: refusing a plugin for a higher minor alone has broken users of other plugin interfaces.
 *
 * Rules for plugins: never print, exit, abort or throw across the border; start no threads (ask the host's parallel
 * service); keep no reference to what was lent for a call; return the same result for the same inputs.
 */
#ifndef PARE_PLUGIN_H
#define PARE_PLUGIN_H

#include "base.h"
#include "options.h"
#include "pattern.h"
#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PARE_MODULE_MAGIC 0x3145524150454C42ull /* first member of every module */
#define PARE_PLUGIN_SUFFIX ".pare"              /* file suffix of plugins, so that nothing else is ever opened by a scan */
#define PARE_ENTRY_SYMBOL "pare_plugin_entry"

/* Kind ids: names of factories. Since 1.0. */
#define PARE_KIND_CRITERION "pare.criterion/1"
#define PARE_KIND_ALLOCATOR "pare.allocator/1"
#define PARE_KIND_PENALTY "pare.penalty/1"
#define PARE_KIND_SOLVER "pare.solver/1"
#define PARE_KIND_RECIPE "pare.recipe/1"
#define PARE_KIND_METRIC "pare.metric/1"
#define PARE_KIND_ESTIMATOR "pare.estimator/1"

typedef struct pare_host pare_host;
typedef struct pare_descriptor pare_descriptor;
typedef struct pare_instance pare_instance;
typedef struct pare_factory pare_factory;
typedef struct pare_module pare_module;
typedef struct pare_layer pare_layer; /* kinds/allocator.h */

/* The host as a plugin sees it. Valid from init (or the first create) to deinit, and at least as long as any instance; [any]. Growing. Since 1.0. */
struct pare_host {
    uint32_t struct_size;
    uint32_t abi_major, abi_minor; /* of the running host */
    uint32_t reserved;             /* 0 */
    const char *name, *version;    /* static */
    const void *context;           /* the host's own, do not touch */
    /* A table of host services (services.h) by id, static, or NULL when this host has none of that id. [any] */
    const void *(*get_service)(const pare_host *host, const char *id);
};

/* What a plugin asks the host to collect for it. Bits of `needs`. A host that cannot supply one refuses to run the plugin
 * and says which; it collects nothing that was not asked for. Since 1.0. */
#define PARE_NEED_WEIGHT 1u
#define PARE_NEED_GRADIENT 2u          /* mean gradient of the loss */
#define PARE_NEED_INPUT_NORM 4u        /* second moment of each input feature */
#define PARE_NEED_GRAM 8u              /* Gram matrix of the inputs */
#define PARE_NEED_HESSIAN_GRADIENT 16u /* Hessian times mean gradient (GraSP) */
#define PARE_NEED_TWIN_GRADIENT 32u    /* gradient of the linear all-positive twin (SynFlow) */
#define PARE_NEED_NORM_SCALE 64u       /* γ of the normalisation that follows the layer */
#define PARE_NEED_OUTPUT_NORM 128u     /* second moment of each output feature */
#define PARE_NEED_GRAPH 256u
#define PARE_NEED_DATA 512u            /* calibration or training data in any form */
#define PARE_NEED_MASK 1024u           /* what is alive now */

/* Properties. Bits of `flags`. Since 1.0. */
#define PARE_FLAG_DETERMINISTIC 1u  /* same inputs, same result; the host may ask twice instead of storing */
#define PARE_FLAG_LOCAL 2u          /* criterion: a unit's score depends on that unit alone, so any sub-range may be asked */
#define PARE_FLAG_SCALE_INVARIANT 4u /* criterion: order of scores within a layer survives scaling the weights by a > 0 */
#define PARE_FLAG_WRITES_WEIGHTS 8u
#define PARE_FLAG_THREAD_SAFE 16u   /* one instance may be called concurrently: [any] instead of [instance] */
#define PARE_FLAG_CONVEX 32u        /* penalty */
#define PARE_FLAG_SCORES_F64 64u    /* criterion: wants float64 score buffers instead of float32 */

/* What a plugin is. Static: filled by the module, never freed. Growing. Since 1.0. */
struct pare_descriptor {
    uint32_t struct_size;
    uint32_t flags;
    uint32_t needs;
    uint32_t granularities; /* criterion, solver: bit 1 << PARE_GRANULARITY_…; 0 means all */
    const char *kind;       /* PARE_KIND_… */
    const char *id;         /* [a-z][a-z0-9._-]*, unique within its kind; third parties use reverse DNS (com.example.name) */
    const char *version;    /* of the plugin, "1.2.0" */
    const char *summary;    /* one line */
    const char *source;     /* paper, section; or "" */
    const char *license;    /* SPDX */
    uint32_t option_count;
    uint32_t reserved;      /* 0 */
    /* Schema entry `index` < option_count, static; NULL past the end. [any] */
    const pare_option_info *(*option)(const pare_descriptor *self, uint32_t index);
};

/* One configured plugin. Made by a factory, freed by its own destroy. Growing. Since 1.0. */
struct pare_instance {
    uint32_t struct_size;
    uint32_t reserved;                /* 0 */
    const pare_descriptor *descriptor; /* equal to the factory's */
    const void *table;                /* of the kind: pare_criterion, pare_allocator, … */
    void *state;                      /* the plugin's own */
    void (*destroy)(pare_instance *self); /* frees everything, self too; called once. [instance] */
    /* Optional (may be NULL): an extension table by id, or NULL. [any] */
    const void *(*get_extension)(pare_instance *self, const char *id);
};

/* Lists and makes the plugins of one kind. Static. Growing. Since 1.0. */
struct pare_factory {
    uint32_t struct_size;
    uint32_t count;
    const char *kind;
    void *user; /* the module's own */
    /* Static descriptor, NULL for index ≥ count. Creates nothing. [any] */
    const pare_descriptor *(*descriptor)(const pare_factory *self, uint32_t index);
    /* Make an instance. `values` holds option_count checked values in schema order, borrowed for the call. An unknown id
     * (also a known one with anything after it) is PARE_E_NOT_FOUND. On failure *out stays untouched. [any] */
    int32_t (*create)(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t value_count, pare_instance **out, pare_error *error);
};

/* What the entry returns: static data, free of side effects, the same pointer every time. Growing. Since 1.0. */
struct pare_module {
    uint64_t magic; /* PARE_MODULE_MAGIC */
    uint32_t struct_size;
    uint32_t abi_major, abi_minor; /* PARE_ABI_… that it was compiled with */
    uint32_t min_host_minor;       /* oldest host minor it can work with */
    const char *id;                /* reverse DNS or pare.<name> */
    const char *version;
    const char *license;           /* SPDX */
    void *user;                    /* the module's own */
    /* Optional, may be NULL. Counted pair: init may be called again after deinit, or twice by two hosts in a process. [load] */
    int32_t (*init)(const pare_module *self, const pare_host *host, pare_error *error);
    void (*deinit)(const pare_module *self);
    /* Factory of a kind by id, static, or NULL for a kind it does not have (unknown ids too). [any] */
    const pare_factory *(*get_factory)(const pare_module *self, const char *kind);
};

typedef const pare_module *(*pare_plugin_entry_fn)(uint32_t host_major, uint32_t host_minor);

#ifdef __cplusplus
}
#endif

#include "kinds/allocator.h"
#include "kinds/criterion.h"
#include "kinds/estimator.h"
#include "kinds/metric.h"
#include "kinds/penalty.h"
#include "kinds/recipe.h"
#include "kinds/solver.h"
#include "services.h"

#endif /* PARE_PLUGIN_H */
