/* harness.c — runs the plugins of one file on data from the command line. No part of Pare is linked.
 *
 *   harness FILE list
 *   harness FILE score ID SHAPE UNIT_NDIM [key=value …] < numbers        scores, one per line
 *   harness FILE allocate ID SPARSITY [key=value …] < layers             "sparsity pool" per layer
 *   harness FILE measure ID [key=value …] < layers                       "index name value unit" per number
 *
 * Settings are words that begin with '@': @dtype=f32|f64|f16|bf16 (of the weight), @strides=transposed, @first=N,
 * @key=N (parameter_key), @norm-scale=1,2,… (γ per row), @deny=SERVICE, @times=N (repeat, with seconds),
 * @pattern=N:M (measure). A layer is one line: name type depth units macs prunable shape values|-  mask|-
 * with shape 2,3 and values and mask as comma-separated lists.
 * Exit status: 0 fine, 1 the plugin refused (its message is printed), 2 usage, 3 the plugin broke its contract.
 */
#define _POSIX_C_SOURCE 200809L
#include "array.h"
#include "host.h"
#include <dlfcn.h>
#include <time.h>

#define MAX_OPTIONS 64
#define MAX_LAYERS 256
static const char *settings[64];
static int setting_count;

static const char *setting(const char *key)
{
    size_t length = strlen(key);
    for (int i = 0; i < setting_count; i++)
        if (strncmp(settings[i] + 1, key, length) == 0 && settings[i][1 + length] == '=') return settings[i] + length + 2;
    return NULL;
}

static _Noreturn void broken(const char *what)
{
    printf("broken: %s\n", what);
    exit(3);
}

static int refused(int32_t status, const pare_error *error)
{
    printf("refused: %d %s\n", status, error->message);
    printf("where: %s\nfound: %s\nexpected: %s\nhint: %s\n", error->where, error->found, error->expected, error->hint);
    return error->code == status ? 1 : (printf("broken: code differs from status\n"), 3);
}

static int parse_list(const char *text, double *out, int capacity)
{
    int count = 0;
    for (char *end; *text != '\0' && count < capacity; text = *end == ',' ? end + 1 : end) {
        out[count++] = strtod(text, &end);
        if (end == text) return count - 1;
    }
    return count;
}

static int parse_shape(const char *text, int64_t *shape)
{
    double numbers[PARE_MAX_NDIM];
    int ndim = parse_list(text, numbers, PARE_MAX_NDIM);
    for (int axis = 0; axis < ndim; axis++) shape[axis] = (int64_t)numbers[axis];
    return ndim;
}

/* ---- loading ---- */

static const pare_module *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) broken(dlerror());
    union { void *object; pare_plugin_entry_fn function; } symbol = {dlsym(library, PARE_ENTRY_SYMBOL)};
    if (symbol.object == NULL) broken("no entry");
    const pare_module *module = symbol.function(PARE_ABI_MAJOR, PARE_ABI_MINOR);
    if (module == NULL) broken("the entry returned NULL");
    if (module != symbol.function(PARE_ABI_MAJOR, PARE_ABI_MINOR)) broken("another module at the second call");
    if (module->magic != PARE_MODULE_MAGIC) broken("wrong magic");
    if (!PARE_HAS(module, get_factory) || module->get_factory == NULL) broken("no get_factory");
    if (module->abi_major != PARE_ABI_MAJOR) broken("another major version");
    if (module->min_host_minor > PARE_ABI_MINOR) {
        printf("broken: needs host minor %u, this host has %u\n", module->min_host_minor, PARE_ABI_MINOR);
        exit(3);
    }
    if (module->get_factory(module, "pare.nothing/9") != NULL) broken("a factory for an unknown kind");
    return module;
}

static const pare_descriptor *find(const pare_factory *factory, const char *id)
{
    for (uint32_t i = 0; factory != NULL && i < factory->count; i++) {
        const pare_descriptor *descriptor = factory->descriptor(factory, i);
        if (descriptor == NULL) broken("NULL descriptor");
        if (strcmp(descriptor->id, id) == 0) return descriptor;
    }
    return NULL;
}

static void parse_value(const pare_option_info *info, const char *text, pare_value *value)
{
    static double numbers[MAX_OPTIONS][64];
    static int64_t integers[MAX_OPTIONS][64];
    static int used;
    *value = (pare_value){.key = info->key, .type = info->type, .count = 1};
    if (text == NULL) exit((printf("option %s is required\n", info->key), 2));
    switch (info->type) {
    case PARE_OPTION_BOOL: value->integer = strcmp(text, "true") == 0; break;
    case PARE_OPTION_INT: value->integer = strtoll(text, NULL, 10), value->number = (double)value->integer; break;
    case PARE_OPTION_FLOAT: value->number = strtod(text, NULL); break;
    case PARE_OPTION_STRING: value->text = text; break;
    case PARE_OPTION_CHOICE:
        value->text = text;
        while (info->choices[value->integer] != NULL && strcmp(info->choices[value->integer], text) != 0) value->integer++;
        if (info->choices[value->integer] == NULL) exit((printf("%s is no choice of %s\n", text, info->key), 2));
        break;
    default:
        value->count = parse_list(text, numbers[used], 64);
        for (int i = 0; i < value->count; i++) integers[used][i] = (int64_t)numbers[used][i];
        value->numbers = numbers[used], value->integers = integers[used++];
    }
}

static pare_instance *create(const pare_module *module, const char *kind, const char *id, char **options, int option_count)
{
    const pare_factory *factory = module->get_factory(module, kind);
    const pare_descriptor *descriptor = find(factory, id);
    if (descriptor == NULL) exit((printf("no %s of kind %s\n", id, kind), 2));
    pare_value values[MAX_OPTIONS];
    for (uint32_t i = 0; i < descriptor->option_count; i++) {
        const pare_option_info *info = descriptor->option(descriptor, i);
        const char *text = info->default_text;
        size_t length = strlen(info->key);
        for (int k = 0; k < option_count; k++)
            if (strncmp(options[k], info->key, length) == 0 && options[k][length] == '=') text = options[k] + length + 1;
        parse_value(info, text, &values[i]);
    }
    pare_instance *instance = NULL;
    pare_error error = {.struct_size = sizeof error};
    char junk[256];
    snprintf(junk, sizeof junk, "%s.x", id);
    if (factory->create(factory, &the_host, junk, values, descriptor->option_count, &instance, &error) != PARE_E_NOT_FOUND ||
        instance != NULL)
        broken("made an instance of an unknown id");
    error = (pare_error){.struct_size = sizeof error};
    int32_t status = factory->create(factory, &the_host, id, values, descriptor->option_count, &instance, &error);
    if (status != PARE_OK) exit(refused(status, &error));
    if (instance == NULL || instance->table == NULL || instance->destroy == NULL) broken("an instance without a table");
    if (instance->descriptor != descriptor) broken("the instance has another descriptor");
    return instance;
}

static int list(const pare_module *module)
{
    static const char *const kinds[] = {PARE_KIND_CRITERION, PARE_KIND_ALLOCATOR, PARE_KIND_PENALTY, PARE_KIND_SOLVER,
                                        PARE_KIND_RECIPE,    PARE_KIND_METRIC,    PARE_KIND_ESTIMATOR};
    printf("%s %s %s abi %u.%u\n", module->id, module->version, module->license, module->abi_major, module->abi_minor);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const pare_factory *factory = module->get_factory(module, kinds[k]);
        for (uint32_t i = 0; factory != NULL && i < factory->count; i++) {
            const pare_descriptor *d = factory->descriptor(factory, i);
            if (d == NULL) broken("NULL descriptor");
            printf("%s %s %s flags %u needs %u granularities %u: %s\n", d->kind, d->id, d->version, d->flags, d->needs,
                   d->granularities, d->summary);
            for (uint32_t o = 0; o < d->option_count; o++) {
                const pare_option_info *info = d->option(d, o);
                printf("  %s type %d default %s range %g..%g: %s\n", info->key, info->type,
                       info->default_text ? info->default_text : "-", info->minimum, info->maximum, info->help);
            }
            if (d->option_count > 0 && d->option(d, d->option_count) != NULL) broken("an option past the end");
        }
        if (factory != NULL && factory->descriptor(factory, factory->count) != NULL) broken("a descriptor past the end");
    }
    return 0;
}

/* ---- score ---- */

static array *norm_scale;

static const pare_tensor *score_input(const pare_score_request *self, int32_t which)
{
    (void)self;
    return which == PARE_INPUT_NORM_SCALE && norm_scale != NULL ? &norm_scale->view : NULL;
}

static int print_scores(const pare_tensor *scores, int64_t units)
{
    for (int64_t i = 0; i < units; i++) {
        double x = element(scores, i);
        if (!isfinite(x)) broken("a score that is not finite, or was not filled in");
        printf("%.9g\n", x);
    }
    return 0;
}

static int score(const pare_module *module, const char *id, const char *shape_text, const char *unit_text, char **options,
                 int option_count)
{
    int64_t shape[PARE_MAX_NDIM], count = 1, units = 1;
    int ndim = parse_shape(shape_text, shape), unit_ndim = atoi(unit_text);
    for (int axis = 0; axis < ndim; axis++) count *= shape[axis], units *= axis < unit_ndim ? shape[axis] : 1;
    double *values = keep(calloc((size_t)count + 1, sizeof *values));
    for (int64_t i = 0; i < count; i++)
        if (scanf("%lf", &values[i]) != 1) exit((printf("too few numbers\n"), 2));
    int transposed = setting("strides") != NULL;
    array *weight = make_array(shape, ndim, dtype_named(setting("dtype")), transposed, values);
    void *before = memcpy(keep(malloc(weight->bytes + 1)), weight->view.data, weight->bytes);
    if (setting("norm-scale") != NULL) {
        double *gammas = keep(calloc((size_t)shape[0] + 1, sizeof *gammas));
        parse_list(setting("norm-scale"), gammas, (int)shape[0]);
        norm_scale = make_array(shape, 1, dtype_named(NULL), 0, gammas);
        norm_scale->view.ndim = ndim; /* the rows' numbers, repeated with stride 0 along everything else */
        for (int axis = 1; axis < ndim; axis++) norm_scale->shape[axis] = shape[axis], norm_scale->strides[axis] = 0;
        free(gammas);
    }
    pare_instance *instance = create(module, PARE_KIND_CRITERION, id, options, option_count);
    const pare_criterion *criterion = instance->table;
    int wide = (instance->descriptor->flags & PARE_FLAG_SCORES_F64) != 0;
    int64_t guarded = units + 2; /* one number before and one behind */
    array *scores = make_array(&guarded, 1, dtype_named(wide ? "f64" : "f32"), 0, NULL);
    for (int64_t i = 0; i < guarded; i++) store((char *)scores->view.data + i * (wide ? 8 : 4), scores->view.dtype, NAN);
    scores->view.byte_offset = wide ? 8 : 4, scores->shape[0] = units;
    pare_score_request request = {
        .struct_size = sizeof request, .role = PARE_ROLE_WEIGHT, .parameter = "layer.weight", .weight = &weight->view,
        .unit_ndim = unit_ndim, .granularity = unit_ndim == ndim ? PARE_GRANULARITY_ELEMENT : PARE_GRANULARITY_ROW,
        .first_unit = setting("first") ? atoll(setting("first")) : 0, .total_units = units,
        .parameter_key = setting("key") ? strtoull(setting("key"), NULL, 10) : 42, .rounds = 1, .input = score_input,
    };
    int times = setting("times") ? atoi(setting("times")) : 1;
    struct timespec start, end;
    int32_t status = PARE_OK;
    pare_error error = {.struct_size = sizeof error};
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int k = 0; k < times && status == PARE_OK; k++) status = criterion->score(instance, &request, &scores->view, &error);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (status != PARE_OK) return instance->destroy(instance), refused(status, &error);
    double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    if (times > 1) fprintf(stderr, "%g s per call\n", seconds / times);
    if (memcmp(before, weight->view.data, weight->bytes) != 0) broken("changed the weights");
    char *raw = scores->view.data;
    void *first_time = memcpy(keep(malloc(scores->bytes)), raw, scores->bytes);
    status = criterion->score(instance, &request, &scores->view, &error);
    if (status != PARE_OK || memcmp(first_time, raw, scores->bytes) != 0) broken("another result at the second call");
    if (!isnan(element_at(raw, scores->view.dtype)) ||
        !isnan(element_at(raw + (units + 1) * (wide ? 8 : 4), scores->view.dtype)))
        broken("wrote outside the scores");
    instance->destroy(instance);
    if (host_blocks != 0) broken("host memory not released");
    return print_scores(&scores->view, units);
}

/* ---- layers ---- */

typedef struct layer {
    pare_layer info;
    char name[64];
    int64_t shape[PARE_MAX_NDIM];
    int prunable;
    array *weight, *mask;
} layer;

static layer layers[MAX_LAYERS];
static uint32_t layer_count;

static array *layer_array(const layer *l, const char *text, const char *dtype)
{
    if (strcmp(text, "-") == 0) return NULL;
    double *values = keep(calloc((size_t)l->info.elements + 1, sizeof *values));
    parse_list(text, values, (int)l->info.elements);
    array *a = make_array(l->shape, l->info.ndim, dtype_named(dtype), 0, values);
    free(values);
    return a;
}

static void read_layers(void)
{
    static char shape[256], values[65536], mask[65536];
    layer *l = layers;
    long long units, macs;
    while (layer_count < MAX_LAYERS &&
           scanf("%63s %d %d %lld %lld %d %255s %65535s %65535s", l->name, &l->info.type, &l->info.depth, &units, &macs,
                 &l->prunable, shape, values, mask) == 9) {
        l->info.struct_size = sizeof l->info, l->info.name = l->name, l->info.shape = l->shape, l->info.groups = 1;
        l->info.role = PARE_ROLE_WEIGHT, l->info.ndim = parse_shape(shape, l->shape), l->info.elements = 1;
        for (int axis = 0; axis < l->info.ndim; axis++) l->info.elements *= l->shape[axis];
        l->info.units = units < 0 ? l->info.elements : units, l->info.macs = macs;
        l->weight = layer_array(l, values, setting("dtype"));
        l->mask = layer_array(l, mask, "bool");
        l++, layer_count++;
    }
}

static const pare_layer *allocate_layer(const pare_allocate_request *self, uint32_t index)
{
    return index < self->layer_count ? &layers[index].info : NULL;
}

static double statistic(const pare_allocate_request *self, uint32_t index, int32_t which, double argument)
{
    (void)self, (void)index, (void)which, (void)argument;
    return NAN;
}

static int allocate_layers(const pare_module *module, const char *id, const char *sparsity_text, char **options, int count)
{
    read_layers();
    pare_instance *instance = create(module, PARE_KIND_ALLOCATOR, id, options, count);
    const pare_allocator *allocator = instance->table;
    pare_allocate_request request = {.struct_size = sizeof request, .layer_count = layer_count,
                                     .sparsity = strtod(sparsity_text, NULL), .layer = allocate_layer,
                                     .statistic = statistic};
    double sparsity[MAX_LAYERS + 1];
    int32_t pool[MAX_LAYERS + 1];
    for (int i = 0; i <= MAX_LAYERS; i++) sparsity[i] = NAN, pool[i] = -7;
    pare_error error = {.struct_size = sizeof error};
    int32_t status = allocator->allocate(instance, &request, sparsity, pool, &error);
    instance->destroy(instance);
    if (status != PARE_OK) return refused(status, &error);
    if (!isnan(sparsity[layer_count]) || pool[layer_count] != -7) broken("wrote past the layers");
    for (uint32_t i = 0; i < layer_count; i++) {
        if (!(sparsity[i] >= 0 && sparsity[i] <= 1) || pool[i] < 0) broken("sparsity or pool out of range");
        printf("%.9g %d\n", sparsity[i], pool[i]);
    }
    return 0;
}

static const pare_layer *metric_layer(const pare_metric_request *self, uint32_t index)
{
    return index < self->layer_count ? &layers[index].info : NULL;
}
static int32_t metric_prunable(const pare_metric_request *self, uint32_t index) { return (void)self, layers[index].prunable; }
static const pare_tensor *metric_weight(const pare_metric_request *self, uint32_t index)
{
    return (void)self, layers[index].weight ? &layers[index].weight->view : NULL;
}
static const pare_tensor *metric_mask(const pare_metric_request *self, uint32_t index)
{
    return (void)self, layers[index].mask ? &layers[index].mask->view : NULL;
}
static int32_t matrix(const pare_metric_request *self, uint32_t index, int64_t *rows, int64_t *cols, int64_t *row_stride,
                      int64_t *col_stride)
{
    (void)self;
    const layer *l = &layers[index];
    if (l->info.ndim < 2) return 0;
    *rows = l->shape[0], *cols = l->shape[0] ? l->info.elements / l->shape[0] : 0, *row_stride = *cols, *col_stride = 1;
    return 1;
}
static void emit(const pare_metric_request *self, int32_t index, const char *name, double value, const char *unit)
{
    (void)self;
    printf("%d %s %.9g %s\n", index, name, value, unit);
}
static void emit_series(const pare_metric_request *self, int32_t index, const char *name, const double *values, int64_t count,
                        const char *unit)
{
    (void)self;
    printf("%d %s", index, name);
    for (int64_t i = 0; i < count; i++) printf(" %.9g", values[i]);
    printf(" %s\n", unit);
}

static int measure(const pare_module *module, const char *id, char **options, int count)
{
    read_layers();
    pare_pattern pattern = {.struct_size = sizeof pattern, .granularity = PARE_GRANULARITY_NM};
    int nm = setting("pattern") != NULL && sscanf(setting("pattern"), "%d:%d", &pattern.n, &pattern.m) == 2;
    pare_instance *instance = create(module, PARE_KIND_METRIC, id, options, count);
    const pare_metric *metric = instance->table;
    pare_metric_request request = {
        .struct_size = sizeof request, .layer_count = layer_count, .pattern = nm ? &pattern : NULL, .layer = metric_layer,
        .prunable = metric_prunable, .weight = metric_weight, .mask = metric_mask, .matrix = matrix, .emit = emit,
        .emit_series = emit_series,
    };
    pare_error error = {.struct_size = sizeof error};
    int32_t status = metric->measure(instance, &request, &error);
    instance->destroy(instance);
    if (host_blocks != 0) broken("host memory not released");
    return status == PARE_OK ? 0 : refused(status, &error);
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 0; i < argc; i++)
        if (argv[i][0] == '@' && setting_count < 64) settings[setting_count++] = argv[i];
        else argv[count++] = argv[i];
    if (setting("deny") != NULL) host_denied = setting("deny");
    if (count < 3) return fprintf(stderr, "usage: harness FILE list|score|allocate|measure …\n"), 2;
    const pare_module *module = load(argv[1]);
    pare_error error = {.struct_size = sizeof error};
    if (module->init != NULL && module->init(module, &the_host, &error) != PARE_OK) return refused(error.code, &error);
    int status = 2;
    if (strcmp(argv[2], "list") == 0) status = list(module);
    else if (strcmp(argv[2], "score") == 0 && count >= 6)
        status = score(module, argv[3], argv[4], argv[5], argv + 6, count - 6);
    else if (strcmp(argv[2], "allocate") == 0 && count >= 5)
        status = allocate_layers(module, argv[3], argv[4], argv + 5, count - 5);
    else if (strcmp(argv[2], "measure") == 0 && count >= 4) status = measure(module, argv[3], argv + 4, count - 4);
    if (module->deinit != NULL) module->deinit(module);
    return status;
}
