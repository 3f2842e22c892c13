/* random — a criterion that ranks units by chance: the baseline every other criterion has to beat.
 *
 * Score of unit u = draw u of the stream named by the parameter, uniform in [0,1). Draws are counted, not generated in
 * sequence (the host's random service), so the score of a unit is the same for any order of calls, sub-range or thread.
 * Written in C, as an example of a plugin without PareKit: one static table per level, nothing else.
 */
#include <math.h>
#include <pare/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    pare_instance instance; /* first, so that the instance's address is the state's */
    const pare_host *host;
    const pare_random_service *random;
    uint64_t seed;
} state;

static int32_t fail(pare_error *error, int32_t code, const char *where, const char *message, const char *hint)
{
    if (error == NULL || error->struct_size < sizeof *error) return code;
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s: %s", where, message);
    snprintf(error->where, sizeof error->where, "%s", where);
    error->found[0] = error->expected[0] = '\0';
    snprintf(error->hint, sizeof error->hint, "%s", hint);
    return code;
}

static int32_t score(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error)
{
    if (self == NULL || self->state == NULL) return fail(error, PARE_E_ARGUMENT, "random", "no instance", "");
    if (request == NULL || scores == NULL || scores->ndim != 1 || scores->dtype.code != PARE_TYPE_FLOAT ||
        scores->dtype.bits != 32)
        return fail(error, PARE_E_ARGUMENT, "random", "scores must be a float32 vector", "");
    if (scores->shape[0] <= 0) return PARE_OK;
    const state *me = self->state;
    float *out = (float *)((char *)scores->data + scores->byte_offset);
    me->random->uniform_f32(me->host, me->seed, request->parameter_key, (uint64_t)request->first_unit,
                            (uint64_t)scores->shape[0], out);
    return PARE_OK;
}

static const pare_criterion criterion = {.struct_size = sizeof criterion, .score = score};

static const pare_option_info seed_option = {
    .struct_size = sizeof seed_option,
    .type = PARE_OPTION_INT,
    .key = "seed",
    .help = "names the sequence of draws",
    .unit = "",
    .default_text = "0",
    .minimum = 0,
    .maximum = INFINITY,
};

static const pare_option_info *option(const pare_descriptor *self, uint32_t index)
{
    (void)self;
    return index == 0 ? &seed_option : NULL;
}

static const pare_descriptor descriptor = {
    .struct_size = sizeof descriptor,
    .flags = PARE_FLAG_DETERMINISTIC | PARE_FLAG_LOCAL | PARE_FLAG_SCALE_INVARIANT | PARE_FLAG_THREAD_SAFE,
    .kind = PARE_KIND_CRITERION,
    .id = "random",
    .version = "1.0.0",
    .summary = "uniform random numbers, the baseline",
    .source = "",
    .license = "Apache-2.0",
    .option_count = 1,
    .option = option,
};

static const pare_descriptor *describe(const pare_factory *self, uint32_t index)
{
    (void)self;
    return index == 0 ? &descriptor : NULL;
}

static void destroy(pare_instance *self) { free(self); }

static int32_t create(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t value_count, pare_instance **out, pare_error *error)
{
    (void)self;
    if (host == NULL || id == NULL || out == NULL) return fail(error, PARE_E_ARGUMENT, "random", "NULL argument", "");
    if (strcmp(id, descriptor.id) != 0) return fail(error, PARE_E_NOT_FOUND, id, "no such criterion here", "");
    if (value_count != 1 || values == NULL || values[0].type != PARE_OPTION_INT)
        return fail(error, PARE_E_OPTION, "seed", "the value does not follow the schema", "");
    const pare_random_service *random = host->get_service(host, PARE_SERVICE_RANDOM);
    if (!PARE_HAS(random, uniform_f32) || random->uniform_f32 == NULL)
        return fail(error, PARE_E_UNSUPPORTED, PARE_SERVICE_RANDOM, "this host draws no random numbers",
                    "use a newer host");
    state *me = malloc(sizeof *me);
    if (me == NULL) return fail(error, PARE_E_MEMORY, "random", "not enough memory", "");
    *me = (state){
        .instance = {.struct_size = sizeof me->instance, .descriptor = &descriptor, .table = &criterion, .state = me,
                     .destroy = destroy},
        .host = host,
        .random = random,
        .seed = (uint64_t)values[0].integer,
    };
    *out = &me->instance;
    return PARE_OK;
}

static const pare_factory factory = {
    .struct_size = sizeof factory, .count = 1, .kind = PARE_KIND_CRITERION, .descriptor = describe, .create = create};

static const pare_factory *get_factory(const pare_module *self, const char *kind)
{
    (void)self;
    return kind != NULL && strcmp(kind, PARE_KIND_CRITERION) == 0 ? &factory : NULL;
}

PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const pare_module module = {
        .magic = PARE_MODULE_MAGIC,
        .struct_size = sizeof module,
        .abi_major = PARE_ABI_MAJOR,
        .abi_minor = PARE_ABI_MINOR,
        .min_host_minor = 0,
        .id = "pare.random",
        .version = "1.0.0",
        .license = "Apache-2.0",
        .get_factory = get_factory,
    };
    (void)host_major, (void)host_minor;
    return &module;
}
