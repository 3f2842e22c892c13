/* plugin.c — a criterion of interface version 1.0. Frozen: never edited, so that what it was built from stays known.
 *
 * Score of a unit = Σ|w|^power, through the vector service where a unit is one element and by strides where it is not; it
 * uses a service, an option, both reading paths and the error record, so that a change of any of these shows.
 */
#include <math.h>
#include <pare/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    pare_instance instance;
    const pare_host *host;
    const pare_vector_service *vector;
    double power;
} state;

static int32_t fail(pare_error *error, int32_t code, const char *message)
{
    if (PARE_HAS(error, message)) {
        error->code = code;
        snprintf(error->message, sizeof error->message, "frozen-1: %s", message);
    }
    return code;
}

static int32_t score(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error)
{
    const state *me = self->state;
    int64_t units = scores->shape[0], size = 1;
    for (int axis = request->unit_ndim; axis < request->weight->ndim; axis++) size *= request->weight->shape[axis];
    float *out = (float *)((char *)scores->data + scores->byte_offset);
    if (units == 0) return PARE_OK;
    if (size == 1) {
        int32_t status = me->vector->read_abs_f32(me->host, request->weight, 0, units, out, error);
        if (status != PARE_OK) return status;
        for (int64_t unit = 0; unit < units; unit++) out[unit] = (float)pow(out[unit], me->power);
        return PARE_OK;
    }
    float *buffer = malloc((size_t)size * sizeof *buffer);
    if (buffer == NULL && size > 0) return fail(error, PARE_E_MEMORY, "not enough memory");
    for (int64_t unit = 0; unit < units; unit++) {
        int32_t status = me->vector->read_f32(me->host, request->weight, unit * size, size, buffer, error);
        if (status != PARE_OK) return free(buffer), status;
        double sum = 0;
        for (int64_t k = 0; k < size; k++) sum += pow(fabs(buffer[k]), me->power);
        out[unit] = (float)sum;
    }
    free(buffer);
    return PARE_OK;
}

static const pare_criterion criterion = {.struct_size = sizeof criterion, .score = score};

static const pare_option_info power_option = {
    .struct_size = sizeof power_option, .type = PARE_OPTION_FLOAT, .key = "power", .help = "exponent of each |w|",
    .unit = "", .default_text = "2", .minimum = 0, .maximum = 8, .flags = PARE_OPTION_MIN_EXCLUSIVE,
};

static const pare_option_info *option(const pare_descriptor *self, uint32_t index)
{
    return index < self->option_count ? &power_option : NULL;
}

static const pare_descriptor descriptor = {
    .struct_size = sizeof descriptor,
    .flags = PARE_FLAG_DETERMINISTIC | PARE_FLAG_LOCAL | PARE_FLAG_SCALE_INVARIANT | PARE_FLAG_THREAD_SAFE,
    .needs = PARE_NEED_WEIGHT,
    .kind = PARE_KIND_CRITERION,
    .id = "org.pare.frozen-1",
    .version = "1.0.0",
    .summary = "sum of powers of |w|, built once and kept",
    .source = "",
    .license = "Apache-2.0",
    .option_count = 1,
    .option = option,
};

static const pare_descriptor *describe(const pare_factory *self, uint32_t index)
{
    return index < self->count ? &descriptor : NULL;
}

static void destroy(pare_instance *self) { free(self->state); }

static int32_t create(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t value_count, pare_instance **out, pare_error *error)
{
    (void)self;
    if (strcmp(id, descriptor.id) != 0) return fail(error, PARE_E_NOT_FOUND, "no such criterion");
    if (value_count != 1) return fail(error, PARE_E_OPTION, "one value expected");
    const pare_vector_service *vector = host->get_service(host, PARE_SERVICE_VECTOR);
    if (vector == NULL) return fail(error, PARE_E_UNSUPPORTED, PARE_SERVICE_VECTOR " is missing");
    state *me = calloc(1, sizeof *me);
    if (me == NULL) return fail(error, PARE_E_MEMORY, "not enough memory");
    *me = (state){.host = host, .vector = vector, .power = values[0].number};
    me->instance = (pare_instance){.struct_size = sizeof me->instance, .descriptor = &descriptor, .table = &criterion,
                                   .state = me, .destroy = destroy};
    *out = &me->instance;
    return PARE_OK;
}

static const pare_factory factory = {
    .struct_size = sizeof factory, .count = 1, .kind = PARE_KIND_CRITERION, .descriptor = describe, .create = create};

static const pare_factory *get_factory(const pare_module *self, const char *kind)
{
    (void)self;
    return strcmp(kind, PARE_KIND_CRITERION) == 0 ? &factory : NULL;
}

static const pare_module module = {
    .magic = PARE_MODULE_MAGIC, .struct_size = sizeof module, .abi_major = PARE_ABI_MAJOR, .abi_minor = PARE_ABI_MINOR,
    .id = "org.pare.frozen-1", .version = "1.0.0", .license = "Apache-2.0", .get_factory = get_factory,
};

PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major, (void)host_minor;
    return &module;
}
