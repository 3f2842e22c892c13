/* abuse.c — calls every function of a plugin file with arguments that no correct host passes.
 *
 *   abuse FILE        exit 0: every call answered with a status; a crash or a success is a fault of the plugin
 *
 * Only for plugins that promise to check what they are given (those on PareKit do). Options take their defaults.
 */
#include "host.h"
#include <dlfcn.h>

static int mistakes;

static void refuse(const char *what, int32_t status)
{
    if (status != PARE_OK) return;
    printf("accepted: %s\n", what);
    mistakes++;
}

#define AXES 2
static float numbers[64];
static int64_t shape[PARE_MAX_NDIM + 1] = {2, 3, 1, 1, 1, 1, 1, 1, 1};
static int64_t strides[PARE_MAX_NDIM + 1] = {3, 1, 1, 1, 1, 1, 1, 1, 1};
static int64_t units[2] = {6, 1}, huge[2] = {INT64_MAX, 3}, negative[2] = {-2, 3}, step[2] = {1, 1};

static pare_tensor good(void)
{
    return (pare_tensor){numbers, {1, 0}, AXES, {PARE_TYPE_FLOAT, 32, 1}, shape, strides, 0};
}

static int bad_tensor(int which, pare_tensor *out)
{
    *out = good();
    switch (which) {
    case 0: out->ndim = -1; return 1;
    case 1: out->ndim = PARE_MAX_NDIM + 1; return 1;
    case 2: out->shape = NULL; return 1;
    case 3: out->strides = NULL; return 1;
    case 4: out->shape = huge; return 1;
    case 5: out->shape = negative; return 1;
    case 6: out->data = NULL; return 1;
    case 7: out->device.type = 2; return 1;
    case 8: out->dtype.lanes = 4; return 1;
    case 9: out->dtype.bits = 0; return 1;
    default: return 0;
    }
}

static const pare_tensor *no_input(const pare_score_request *self, int32_t which)
{
    (void)self, (void)which;
    return NULL;
}

static void abuse_criterion(pare_instance *instance, pare_error *error)
{
    const pare_criterion *criterion = instance->table;
    int wide = (instance->descriptor->flags & PARE_FLAG_SCORES_F64) != 0;
    double room[8];
    pare_tensor weight = good(), scores = {room, {1, 0}, 1, {PARE_TYPE_FLOAT, wide ? 64 : 32, 1}, units, step, 0};
    const pare_score_request fine = {.struct_size = sizeof fine, .parameter = "w", .weight = &weight, .unit_ndim = AXES,
                                     .total_units = 6, .rounds = 1, .input = no_input};
    pare_score_request request = fine;
    refuse("score: NULL instance", criterion->score(NULL, &request, &scores, error));
    refuse("score: NULL request", criterion->score(instance, NULL, &scores, error));
    refuse("score: NULL scores", criterion->score(instance, &request, NULL, error));
    refuse("score: NULL everything", criterion->score(NULL, NULL, NULL, NULL));
    for (uint32_t size = 0; size < offsetof(pare_score_request, run) + sizeof(void *); size += 4) {
        request.struct_size = size;
        refuse("score: short request", criterion->score(instance, &request, &scores, error));
    }
    request = fine;
    for (int32_t axes = -3; axes < 12; axes++)
        if ((request.unit_ndim = axes) < 0 || axes > AXES) refuse("score: unit_ndim", criterion->score(instance, &request, &scores, error));
    request = fine, request.weight = NULL;
    refuse("score: NULL weight", criterion->score(instance, &request, &scores, error));
    for (int which = 0; bad_tensor(which, &weight); which++) {
        request = fine;
        refuse("score: malformed weight", criterion->score(instance, &request, &scores, error));
    }
    weight = good();
    scores.ndim = 2, refuse("score: two axes of scores", criterion->score(instance, &fine, &scores, error)), scores.ndim = 1;
    units[0] = 5, refuse("score: too few scores", criterion->score(instance, &fine, &scores, error)), units[0] = 6;
    scores.dtype.bits = 16, refuse("score: half scores", criterion->score(instance, &fine, &scores, error));
    scores.dtype.bits = wide ? 64 : 32;
    step[0] = 2, refuse("score: scores with gaps", criterion->score(instance, &fine, &scores, error)), step[0] = 1;
    scores.data = NULL, refuse("score: no room", criterion->score(instance, &fine, &scores, error));
}

static const pare_layer *no_layer(const pare_allocate_request *self, uint32_t index)
{
    (void)self, (void)index;
    return NULL;
}

static void abuse_allocator(pare_instance *instance, pare_error *error)
{
    const pare_allocator *allocator = instance->table;
    double sparsity[2];
    int32_t pool[2];
    pare_allocate_request request = {.struct_size = sizeof request, .layer_count = 2, .sparsity = 0.5, .layer = no_layer};
    refuse("allocate: NULL instance", allocator->allocate(NULL, &request, sparsity, pool, error));
    refuse("allocate: NULL request", allocator->allocate(instance, NULL, sparsity, pool, error));
    refuse("allocate: NULL layers", allocator->allocate(instance, &request, sparsity, pool, error));
    request.layer = NULL;
    refuse("allocate: NULL layer function", allocator->allocate(instance, &request, sparsity, pool, error));
    request.struct_size = 8;
    refuse("allocate: short request", allocator->allocate(instance, &request, sparsity, pool, error));
    request = (pare_allocate_request){.struct_size = sizeof request, .sparsity = NAN, .layer = no_layer};
    refuse("allocate: NaN sparsity", allocator->allocate(instance, &request, sparsity, pool, error));
    request.sparsity = 1;
    refuse("allocate: sparsity 1", allocator->allocate(instance, &request, sparsity, pool, error));
}

static void abuse_metric(pare_instance *instance, pare_error *error)
{
    const pare_metric *metric = instance->table;
    pare_metric_request request = {.struct_size = sizeof request, .layer_count = 1};
    refuse("measure: NULL instance", metric->measure(NULL, &request, error));
    refuse("measure: NULL request", metric->measure(instance, NULL, error));
    refuse("measure: no functions", metric->measure(instance, &request, error));
    request.struct_size = 4;
    refuse("measure: short request", metric->measure(instance, &request, error));
}

static void defaults(const pare_descriptor *descriptor, pare_value *values)
{
    for (uint32_t i = 0; i < descriptor->option_count; i++) {
        const pare_option_info *info = descriptor->option(descriptor, i);
        values[i] = (pare_value){.key = info->key, .type = info->type, .count = 1, .text = info->default_text,
                                 .number = info->default_text ? strtod(info->default_text, NULL) : 0};
    }
}

static void abuse_factory(const pare_factory *factory, void (*abuse)(pare_instance *, pare_error *))
{
    if (factory == NULL) return;
    if (factory->descriptor(NULL, 0) != NULL || factory->descriptor(factory, UINT32_MAX) != NULL) mistakes++;
    for (uint32_t i = 0; i < factory->count; i++) {
        const pare_descriptor *descriptor = factory->descriptor(factory, i);
        uint32_t count = descriptor->option_count;
        const char *id = descriptor->id;
        pare_value values[64], wrong[64];
        defaults(descriptor, values), memcpy(wrong, values, sizeof wrong), wrong[0].type = 77;
        pare_instance *instance = NULL;
        pare_error tiny = {.struct_size = 8}, error = {.struct_size = sizeof error};
        pare_host small = the_host;
        small.struct_size = 8;
        refuse("create: NULL factory", factory->create(NULL, &the_host, id, values, count, &instance, &error));
        refuse("create: NULL host", factory->create(factory, NULL, id, values, count, &instance, &error));
        refuse("create: small host", factory->create(factory, &small, id, values, count, &instance, &error));
        refuse("create: NULL id", factory->create(factory, &the_host, NULL, values, count, &instance, &error));
        refuse("create: NULL out", factory->create(factory, &the_host, id, values, count, NULL, &error));
        refuse("create: value count", factory->create(factory, &the_host, id, values, count + 1, &instance, &error));
        if (count > 0) refuse("create: NULL values", factory->create(factory, &the_host, id, NULL, count, &instance, &error));
        if (count > 0) refuse("create: type", factory->create(factory, &the_host, id, wrong, count, &instance, NULL));
        refuse("create: tiny record", factory->create(factory, &the_host, "nobody", values, count, &instance, &tiny));
        if (tiny.code != PARE_E_NOT_FOUND || tiny.message[0] != '\0') printf("wrote past a short record\n"), mistakes++;
        if (instance != NULL) printf("an instance after a failure\n"), mistakes++;
        if (factory->create(factory, &the_host, id, values, count, &instance, &error) != PARE_OK) {
            printf("create: %s\n", error.message), mistakes++;
            continue;
        }
        abuse(instance, &error);
        instance->destroy(NULL);
        instance->destroy(instance);
    }
}

int main(int argc, char **argv)
{
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) return fprintf(stderr, "usage: abuse FILE\n"), 2;
    union { void *object; pare_plugin_entry_fn function; } symbol = {dlsym(library, PARE_ENTRY_SYMBOL)};
    const pare_module *module = symbol.function(99, 99);
    if (module->get_factory(module, NULL) != NULL || module->get_factory(module, "") != NULL) mistakes++;
    abuse_factory(module->get_factory(module, PARE_KIND_CRITERION), abuse_criterion);
    abuse_factory(module->get_factory(module, PARE_KIND_ALLOCATOR), abuse_allocator);
    abuse_factory(module->get_factory(module, PARE_KIND_METRIC), abuse_metric);
    if (host_blocks != 0) printf("%lld blocks of host memory leaked\n", (long long)host_blocks), mistakes++;
    return mistakes != 0;
}
