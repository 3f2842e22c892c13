/* 04-criterion-plugin — a complete criterion in C: "range", a weight relative to the largest of its row.
 *
 *   score = (|w| / max|w of the row|) ^ p      0 where the whole row is zero
 *
 * A plugin links to nothing; the host is reached through the table that create is given.
 *
 *   cc -std=c11 -O2 -fPIC -shared -fvisibility=hidden -Iinclude examples-c/04-criterion-plugin.c -o range.pare -lm
 *   PARE_PLUGIN_PATH=. pare plugins
 */
#include <math.h>
#include <pare/plugin.h>
#include <stdlib.h>
#include <string.h>

/* One configured criterion. The instance comes first, so that its address is also that of the whole. */
typedef struct range {
    pare_instance instance;
    const pare_host *host;
    const pare_vector_service *vector;
    double power;
} range;

/* ---- the method ---- */

static int32_t score(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error)
{
    const range *me = self->state;
    const pare_tensor *weight = request->weight;
    int64_t count = scores->shape[0];
    if (count == 0) return PARE_OK; /* empty tensors are fine */
    float *out = (float *)((char *)scores->data + scores->byte_offset);

    /* Any dtype, any strides: the host converts. Units are single elements (see `granularities`), in row-major order. */
    int32_t status = me->vector->read_abs_f32(me->host, weight, 0, count, out, error);
    if (status != PARE_OK) return status;

    int64_t rows = weight->ndim > 0 ? weight->shape[0] : 1, length = count / rows;
    for (int64_t row = 0; row < rows; row++, out += length) {
        float largest = 0;
        for (int64_t k = 0; k < length; k++) largest = fmaxf(largest, out[k]);
        for (int64_t k = 0; k < length; k++) out[k] = largest > 0 ? (float)pow(out[k] / largest, me->power) : 0;
    }
    return PARE_OK;
}

static const pare_criterion criterion = {.struct_size = sizeof criterion, .score = score};

/* ---- the options: the host parses, checks and fills in defaults ---- */

static const pare_option_info power_option = {
    .struct_size = sizeof power_option,
    .type = PARE_OPTION_FLOAT,
    .key = "power",
    .help = "exponent",
    .unit = "",
    .default_text = "1",
    .minimum = 0.125,
    .maximum = 8,
};

static const pare_option_info *option(const pare_descriptor *self, uint32_t index)
{
    return index < self->option_count ? &power_option : NULL;
}

static const pare_descriptor descriptor = {
    .struct_size = sizeof descriptor,
    /* Not LOCAL: a score depends on the rest of its row, so the host hands over whole tensors. */
    .flags = PARE_FLAG_DETERMINISTIC | PARE_FLAG_SCALE_INVARIANT | PARE_FLAG_THREAD_SAFE,
    .needs = PARE_NEED_WEIGHT,
    .granularities = 1u << PARE_GRANULARITY_ELEMENT | 1u << PARE_GRANULARITY_NM,
    .kind = PARE_KIND_CRITERION,
    .id = "org.example.range",
    .version = "1.0.0",
    .summary = "weight relative to the largest of its row",
    .source = "",
    .license = "CC0-1.0",
    .option_count = 1,
    .option = option,
};

/* ---- the factory: lists the descriptor, makes instances ---- */

static const pare_descriptor *describe(const pare_factory *self, uint32_t index)
{
    return index < self->count ? &descriptor : NULL;
}

static void destroy(pare_instance *self) { free(self); }

static int32_t create(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t value_count, pare_instance **out, pare_error *error)
{
    (void)self, (void)error; /* the host words an error for a bare status */
    if (strcmp(id, descriptor.id) != 0) return PARE_E_NOT_FOUND;
    if (value_count != 1) return PARE_E_OPTION;
    const pare_vector_service *vector = host->get_service(host, PARE_SERVICE_VECTOR);
    if (!PARE_HAS(vector, read_abs_f32)) return PARE_E_UNSUPPORTED; /* an older or smaller host */

    range *me = calloc(1, sizeof *me);
    if (me == NULL) return PARE_E_MEMORY;
    *me = (range){.host = host, .vector = vector, .power = values[0].number};
    me->instance = (pare_instance){.struct_size = sizeof me->instance, .descriptor = &descriptor, .table = &criterion,
                                   .state = me, .destroy = destroy};
    *out = &me->instance;
    return PARE_OK;
}

static const pare_factory factory = {
    .struct_size = sizeof factory, .count = 1, .kind = PARE_KIND_CRITERION, .descriptor = describe, .create = create};

/* ---- the module and the one exported function ---- */

static const pare_factory *get_factory(const pare_module *self, const char *kind)
{
    (void)self;
    return strcmp(kind, PARE_KIND_CRITERION) == 0 ? &factory : NULL;
}

PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const pare_module module = {
        .magic = PARE_MODULE_MAGIC,
        .struct_size = sizeof module,
        .abi_major = PARE_ABI_MAJOR,
        .abi_minor = PARE_ABI_MINOR,
        .min_host_minor = 0, /* works with every host of this major version */
        .id = "org.example.range",
        .version = "1.0.0",
        .license = "CC0-1.0",
        .get_factory = get_factory,
    };
    (void)host_major, (void)host_minor;
    return &module;
}
