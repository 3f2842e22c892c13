/* ages.c — one criterion from another time, by macro: cc -DCASE_… (build_fixtures.sh builds them all).
 *
 * CASE_FUTURE       built with a larger header: minor version 7, every growing struct with more members at its end, an
 *                   extra member read from the request where the host has it. Needs nothing new: must load and run.
 * CASE_DEMANDING    the same, but its oldest host is minor 99: must be refused with both numbers
 * CASE_DEGRADES     asks for a service that does not exist yet and does without: must load and run
 * CASE_NEEDS_SERVICE  the same, but cannot do without: create must fail with PARE_E_UNSUPPORTED and the service's id
 * CASE_LEAN         built with a smaller world in mind: uses no service at all, reads float32 by strides itself
 */
#include <pare/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if CASE_DEMANDING
#define OLDEST_HOST 99
#else
#define OLDEST_HOST 0
#endif
#if CASE_FUTURE || CASE_DEMANDING
#define MINOR 7
#define LATER uint64_t later[6]
#else
#define MINOR PARE_ABI_MINOR
#define LATER uint64_t later[1]
#endif

/* What a later header would declare: today's structs and more behind them. */
typedef struct { pare_module now; LATER; } module_later;
typedef struct { pare_factory now; LATER; } factory_later;
typedef struct { pare_descriptor now; LATER; } descriptor_later;
typedef struct { pare_criterion now; LATER; } criterion_later;
typedef struct { pare_option_info now; LATER; } option_later;
typedef struct { pare_instance now; LATER; } instance_later;
typedef struct { pare_score_request now; LATER; } request_later;
#define SIZE(type) (MINOR == PARE_ABI_MINOR ? sizeof(((type *)0)->now) : sizeof(type))

static float absolute(const pare_tensor *tensor, int64_t index)
{
    int64_t offset = 0;
    for (int axis = tensor->ndim - 1; axis >= 0; axis--) {
        offset += index % tensor->shape[axis] * tensor->strides[axis];
        index /= tensor->shape[axis];
    }
    float x = ((const float *)((const char *)tensor->data + tensor->byte_offset))[offset];
    return x < 0 ? -x : x;
}

static int32_t score(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error)
{
    (void)self, (void)error;
    float *out = (float *)((char *)scores->data + scores->byte_offset), bonus = 0;
    /* A member of a later version: only where this host has it. */
    if (request->struct_size >= sizeof(request_later)) bonus = (float)((const request_later *)request)->later[0];
    if (request->weight->dtype.code != PARE_TYPE_FLOAT || request->weight->dtype.bits != 32) return PARE_E_DTYPE;
    int64_t units = scores->shape[0], size = 1;
    for (int axis = request->unit_ndim; axis < request->weight->ndim; axis++) size *= request->weight->shape[axis];
    for (int64_t unit = 0; unit < units; unit++) {
        out[unit] = bonus;
        for (int64_t k = 0; k < size; k++) out[unit] += absolute(request->weight, unit * size + k);
    }
    return PARE_OK;
}

static const criterion_later criterion = {.now = {.struct_size = SIZE(criterion_later), .score = score}, .later = {~0ull}};

static const option_later level = {
    .now = {.struct_size = SIZE(option_later), .type = PARE_OPTION_INT, .key = "level", .help = "no difference",
            .unit = "", .default_text = "1", .minimum = 0, .maximum = 9},
    .later = {~0ull},
};

static const pare_option_info *option(const pare_descriptor *self, uint32_t index)
{
    (void)self;
    return index == 0 ? &level.now : NULL;
}

static const descriptor_later descriptor = {
    .now = {.struct_size = SIZE(descriptor_later), .flags = PARE_FLAG_DETERMINISTIC | 1u << 30, /* one not known yet */
            .needs = PARE_NEED_WEIGHT, .kind = PARE_KIND_CRITERION, .id = "org.example.age", .version = "7.0.0",
            .summary = "sum of absolute values, from another time", .source = "", .license = "Apache-2.0",
            .option_count = 1, .option = option},
    .later = {~0ull},
};

static const pare_descriptor *describe(const pare_factory *self, uint32_t index)
{
    (void)self;
    return index == 0 ? &descriptor.now : NULL;
}

static void destroy(pare_instance *self) { free(self); }

static int32_t create(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t value_count, pare_instance **out, pare_error *error)
{
    (void)self, (void)values, (void)value_count;
    if (strcmp(id, descriptor.now.id) != 0) return PARE_E_NOT_FOUND;
#if CASE_DEGRADES || CASE_NEEDS_SERVICE
    if (host->get_service(host, "pare.telepathy/1") == NULL) {
#if CASE_NEEDS_SERVICE
        if (PARE_HAS(error, message)) {
            error->code = PARE_E_UNSUPPORTED;
            snprintf(error->message, sizeof error->message, "pare.telepathy/1: this host does not offer it");
        }
        return PARE_E_UNSUPPORTED;
#endif
    }
#endif
    (void)host, (void)error;
    instance_later *made = calloc(1, sizeof *made);
    if (made == NULL) return PARE_E_MEMORY;
    made->now = (pare_instance){SIZE(instance_later), 0, &descriptor.now, &criterion.now, made, destroy, NULL};
    *out = &made->now;
    return PARE_OK;
}

static const factory_later factory = {
    .now = {.struct_size = SIZE(factory_later), .count = 1, .kind = PARE_KIND_CRITERION, .descriptor = describe,
            .create = create},
    .later = {~0ull},
};

static const pare_factory *get_factory(const pare_module *self, const char *kind)
{
    (void)self;
    return strcmp(kind, PARE_KIND_CRITERION) == 0 ? &factory.now : NULL;
}

PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const module_later module = {
        .now = {.magic = PARE_MODULE_MAGIC, .struct_size = SIZE(module_later), .abi_major = PARE_ABI_MAJOR,
                .abi_minor = MINOR, .min_host_minor = OLDEST_HOST, .id = "org.example.ages",
                .version = "7.0.0", .license = "Apache-2.0", .get_factory = get_factory},
        .later = {~0ull},
    };
    (void)host_major, (void)host_minor;
    return &module.now;
}
