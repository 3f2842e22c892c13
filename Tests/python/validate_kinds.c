/* validate_kinds.c — a criterion, an allocator, a metric and a penalty, broken in one way per build: cc -DCASE_… .
 *
 * What Tests/abi/fixtures.c leaves out: services, memory, inputs, cancelling, and the kinds beside the criterion. Built by
 * test_validate.py, which names the check that has to catch each case. Without a case nothing is wrong.
 */
#include <math.h>
#include <pare/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    pare_instance instance;
    const pare_host *host;
    const pare_memory_service *memory;
    double scale;
} state;

/* ---- criterion: Σ|x| of each unit, read by strides, no service but memory ---- */

static double element(const pare_tensor *tensor, int64_t index)
{
    int64_t offset = 0;
    for (int axis = tensor->ndim - 1; axis >= 0; axis--) {
        int64_t stride = tensor->strides[axis];
#if CASE_SCORE_BROADCAST
        if (stride == 0) stride = 1;
#endif
        offset += index % tensor->shape[axis] * stride;
        index /= tensor->shape[axis];
    }
    int bytes = tensor->dtype.bits / 8;
    const char *at = (const char *)tensor->data + offset * bytes;
#if !CASE_SCORE_BYTE_OFFSET
    at += tensor->byte_offset;
#endif
    if (bytes == 8) {
        double wide;
        return memcpy(&wide, at, 8), wide;
    }
    uint32_t bits = 0;
    if (bytes == 4) memcpy(&bits, at, 4);
    uint16_t half = 0;
    if (bytes == 2) memcpy(&half, at, 2);
    if (tensor->dtype.code == PARE_TYPE_BFLOAT) bits = (uint32_t)half << 16;
    if (tensor->dtype.code == PARE_TYPE_FLOAT && bytes == 2) {
        int exponent = half >> 10 & 31;
        double fraction = half & 1023, sign = half >> 15 ? -1 : 1;
        if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
        return sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25));
    }
    float single;
    return memcpy(&single, &bits, 4), single;
}

static int32_t sums(state *me, const pare_score_request *request, float *out, int64_t units, float *scratch)
{
    const pare_tensor *weight = request->weight;
    int64_t size = 1;
    for (int axis = request->unit_ndim; axis < weight->ndim; axis++) size *= weight->shape[axis];
    for (int64_t unit = 0; unit < units; unit++) {
#if !CASE_SCORE_STALE_MEMORY
        scratch[unit] = 0;
#endif
        for (int64_t k = 0; k < size; k++) scratch[unit] += (float)fabs(element(weight, unit * size + k));
        out[unit] = scratch[unit] * (float)me->scale;
#if CASE_SCORE_OVERREAD
        if (unit == units - 1 && size > 0) {
            const volatile float *last = (const float *)((const char *)weight->data + weight->byte_offset);
            out[unit] += 0 * last[units * size];
        }
#endif
#if CASE_SCORE_NAN_INDEX
        if (isnan(out[unit])) abort();
#endif
    }
    return PARE_OK;
}

static int32_t score(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error)
{
    (void)error;
    state *me = self->state;
    int64_t units = scores->shape[0];
    float *out = (float *)((char *)scores->data + scores->byte_offset);
    const pare_run *run = request->run;
    (void)run;
#if CASE_REQUEST_SIZE
    if (request->struct_size != sizeof *request) return PARE_E_ARGUMENT;
#elif CASE_INPUT_UNDECLARED
    request->input(request, PARE_INPUT_GRADIENT);
#elif CASE_INPUT_MISSING
    const pare_tensor *norm = request->input(request, PARE_INPUT_NORM_SCALE);
    if (units > 0 && norm->ndim < 0) return PARE_E_ARGUMENT;
#elif CASE_CANCEL_STATUS
    if (run && run->keep_going && !run->keep_going(run->user)) return PARE_E_STATE;
#elif CASE_CANCEL_IGNORED
    if (run && run->keep_going) run->keep_going(run->user);
#elif CASE_PROGRESS_BACK
    if (run && run->keep_going) run->keep_going(run->user);
    if (run && run->progress) run->progress(run->user, 0.9, "late"), run->progress(run->user, 0.1, "early");
#elif CASE_SCORE_RANK
    if (request->weight->ndim > 4) return PARE_E_SHAPE;
#elif CASE_SCORE_GRANULARITY
    if (request->granularity == PARE_GRANULARITY_BLOCK) return PARE_E_UNSUPPORTED;
#elif CASE_OPTION_CALL
    if (me->scale == 4) abort();
#endif
    if (units == 0) return PARE_OK;
    float *first = me->memory->allocate(me->host, sizeof(float)), *scratch = me->memory->allocate(me->host, units * sizeof(float));
#if CASE_MEMORY_UNCHECKED
    *first = 1;
#elif CASE_MEMORY_LOST
    if (scratch == NULL) return PARE_E_MEMORY;
#endif
    if (first == NULL || scratch == NULL) {
        me->memory->release(me->host, first, sizeof(float));
        me->memory->release(me->host, scratch, units * sizeof(float));
        return PARE_E_MEMORY;
    }
    int32_t status = sums(me, request, out, units, scratch);
#if CASE_SCORE_THREADS
    const pare_parallel_service *parallel = me->host->get_service(me->host, PARE_SERVICE_PARALLEL);
    if (parallel) out[0] += (float)parallel->thread_count(me->host);
#endif
#if CASE_MEMORY_SIZE
    me->memory->release(me->host, scratch, sizeof(float));
#elif CASE_MEMORY_OVERRUN
    scratch[units] = 0;
    me->memory->release(me->host, scratch, units * sizeof(float));
#elif CASE_MEMORY_TWICE
    me->memory->release(me->host, first, sizeof(float));
    me->memory->release(me->host, scratch, units * sizeof(float));
#else
    me->memory->release(me->host, scratch, units * sizeof(float));
#endif
    me->memory->release(me->host, first, sizeof(float));
    return status;
}

static int32_t rounds(pare_instance *self, double sparsity)
{
    (void)self, (void)sparsity;
#if CASE_SCORE_ROUNDS
    return 0;
#else
    return 10;
#endif
}

/* ---- allocator: uniform ---- */

static int32_t allocate(pare_instance *self, const pare_allocate_request *request, double *sparsity, int32_t *pool,
                        pare_error *error)
{
    (void)self, (void)error;
    uint32_t count = request->layer_count;
#if CASE_ALLOCATE_EMPTY
    if (count == 0) return PARE_E_STATE;
#elif CASE_ALLOCATE_REFUSAL
    if (request->sparsity > 0.95) return PARE_E_UNSUPPORTED;
#elif CASE_ALLOCATE_LIMIT
    if (request->sparsity > 0.95) return PARE_E_ARGUMENT;
#endif
    for (uint32_t i = 0; i < count; i++) {
        sparsity[i] = request->sparsity, pool[i] = (int32_t)i;
#if CASE_ALLOCATE_SHAPE
        if (request->layer(request, i)->ndim == 0) abort();
#elif CASE_ALLOCATE_RANGE
        sparsity[i] *= 1.2;
#elif CASE_ALLOCATE_TARGET
        sparsity[i] *= 0.9;
#elif CASE_ALLOCATE_NAN
        sparsity[i] = request->layer(request, i)->units > 0 ? request->sparsity : NAN;
#elif CASE_ALLOCATE_POOL
        pool[i] = -1;
#endif
    }
#if CASE_ALLOCATE_OVERRUN
    pool[count] = 0;
#endif
    return PARE_OK;
}

/* ---- metric: mean of |x| ---- */

static int32_t measure(pare_instance *self, const pare_metric_request *request, pare_error *error)
{
    (void)self, (void)error;
    double sum = 0;
    int64_t total = 0;
    for (uint32_t i = 0; i < request->layer_count; i++) {
        const pare_tensor *weight = request->weight(request, i);
#if !CASE_METRIC_HIDDEN
        if (weight == NULL) continue;
#endif
#if CASE_METRIC_DTYPE
        if (weight->dtype.code != PARE_TYPE_FLOAT) abort();
#endif
        int64_t count = 1;
        for (int axis = 0; axis < weight->ndim; axis++) count *= weight->shape[axis];
        if (weight->dtype.code == PARE_TYPE_FLOAT || weight->dtype.code == PARE_TYPE_BFLOAT)
            for (int64_t k = 0; k < count; k++) sum += fabs(element(weight, k));
        total += count;
#if CASE_METRIC_WRITES
        if (count > 0) *((volatile char *)weight->data + weight->byte_offset) = 0;
#endif
    }
#if CASE_METRIC_PATTERN
    if (request->pattern && request->pattern->granularity == PARE_GRANULARITY_NM) abort();
#endif
#if CASE_METRIC_EMPTY
    request->emit(request, -1, "mean", sum / (double)total, "");
#elif CASE_METRIC_NAN
    request->emit(request, -1, "mean", NAN, "");
#elif CASE_METRIC_NAMELESS
    request->emit(request, -1, "", sum, "");
#elif CASE_METRIC_LAYER
    request->emit(request, 99, "mean", sum, "");
#elif CASE_METRIC_TWICE
    request->emit(request, -1, "mean", sum, ""), request->emit(request, -1, "mean", sum, "");
#elif !CASE_METRIC_SILENT
    request->emit(request, -1, "mean", total > 0 ? sum / (double)total : 0, "");
#endif
    return PARE_OK;
}

/* ---- penalty: never called ---- */

static int32_t value(pare_instance *self, const pare_penalty_request *request, double *out, pare_error *error)
{
    (void)self, (void)request, (void)error;
    return *out = 0, PARE_OK;
}

/* ---- descriptors, factories, module ---- */

static const pare_criterion criterion_table = {.struct_size = sizeof criterion_table, .score = score, .rounds = rounds};
static const pare_allocator allocator_table = {.struct_size = sizeof allocator_table, .allocate = allocate};
static const pare_metric metric_table = {.struct_size = sizeof metric_table, .measure = measure};
static const pare_penalty penalty_table = {
    .struct_size = sizeof penalty_table,
#if !CASE_PENALTY_NULL_VALUE
    .value = value,
#endif
};

static const pare_option_info scale_option = {
    .struct_size = sizeof scale_option, .type = PARE_OPTION_FLOAT, .key = "scale", .help = "factor of the score", .unit = "",
    .default_text = "1", .minimum = 0.5, .maximum = 4};

static const pare_option_info *option(const pare_descriptor *self, uint32_t index)
{
    return index < self->option_count ? &scale_option : NULL;
}

#define DESCRIPTOR(name, text, options, needed) \
    static const pare_descriptor name##_descriptor = { \
        .struct_size = sizeof name##_descriptor, .flags = PARE_FLAG_DETERMINISTIC | PARE_FLAG_THREAD_SAFE, .needs = needed, \
        .kind = text, .id = "org.example." #name, .version = "1", .summary = "for tests", .source = "", \
        .license = "Apache-2.0", .option_count = options, .option = option}
#if CASE_INPUT_MISSING
DESCRIPTOR(criterion, PARE_KIND_CRITERION, 1, PARE_NEED_WEIGHT | PARE_NEED_NORM_SCALE);
#else
DESCRIPTOR(criterion, PARE_KIND_CRITERION, 1, PARE_NEED_WEIGHT);
#endif
DESCRIPTOR(allocator, PARE_KIND_ALLOCATOR, 0, 0);
DESCRIPTOR(metric, PARE_KIND_METRIC, 0, 0);
DESCRIPTOR(penalty, PARE_KIND_PENALTY, 0, 0);

static const struct { const char *kind; const pare_descriptor *descriptor; const void *table; } kinds[] = {
    {PARE_KIND_CRITERION, &criterion_descriptor, &criterion_table},
    {PARE_KIND_ALLOCATOR, &allocator_descriptor, &allocator_table},
    {PARE_KIND_METRIC, &metric_descriptor, &metric_table},
    {PARE_KIND_PENALTY, &penalty_descriptor, &penalty_table},
};

static void destroy(pare_instance *self)
{
#if CASE_HEAP
    if (self->descriptor == &criterion_descriptor) return;
#endif
    free(self->state);
}

static const void *extension(pare_instance *self, const char *id)
{
    (void)id;
#if CASE_EXTENSION_ANY
    return self->table;
#else
    return (void)self, NULL;
#endif
}

static int is_name(const char *id, const char *own)
{
#if CASE_ID_PREFIX
    return strncmp(id, own, strlen(own)) == 0;
#else
    return strcmp(id, own) == 0;
#endif
}

static const pare_descriptor *describe(const pare_factory *self, uint32_t index)
{
    return index == 0 ? kinds[(size_t)self->user].descriptor : NULL;
}

static int32_t create(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t count, pare_instance **out, pare_error *error)
{
    size_t kind = (size_t)self->user;
    if (!is_name(id, kinds[kind].descriptor->id)) {
#if CASE_RECORD_NULL
        error->code = PARE_E_NOT_FOUND;
#elif CASE_RECORD_OVERRUN
        if (error) snprintf(error->message, sizeof error->message, "no %s here", id);
#else
        if (PARE_HAS(error, message)) snprintf(error->message, sizeof error->message, "no %s here", id);
#endif
        return PARE_E_NOT_FOUND;
    }
    const pare_memory_service *memory = host->get_service(host, PARE_SERVICE_MEMORY);
#if CASE_SERVICE_UNCHECKED
    if (memory->struct_size < sizeof *memory) return PARE_E_UNSUPPORTED;
#else
    if (!PARE_HAS(memory, release)) return PARE_E_UNSUPPORTED;
#endif
#if CASE_OPTION_REFUSED
    if (count == 1 && values[0].number == 4) return PARE_E_OPTION;
#endif
    state *me = calloc(1, sizeof *me);
    if (me == NULL) return PARE_E_MEMORY;
    me->host = host, me->memory = memory, me->scale = count == 1 ? values[0].number : 1;
    me->instance = (pare_instance){
        sizeof me->instance, 0, kinds[kind].descriptor, kinds[kind].table, me, destroy, extension};
    *out = &me->instance;
    return PARE_OK;
}

static const pare_factory factories[] = {
    {sizeof(pare_factory), 1, PARE_KIND_CRITERION, (void *)0, describe, create},
    {sizeof(pare_factory), 1, PARE_KIND_ALLOCATOR, (void *)1, describe, create},
    {sizeof(pare_factory), 1, PARE_KIND_METRIC, (void *)2, describe, create},
    {sizeof(pare_factory), 1, PARE_KIND_PENALTY, (void *)3, describe, create},
};

static const pare_factory *get_factory(const pare_module *self, const char *kind)
{
    (void)self;
    for (int i = 0; i < 4; i++)
        if (strcmp(kind, kinds[i].kind) == 0) return &factories[i];
    return NULL;
}

static int hosts;

static int32_t init(const pare_module *self, const pare_host *host, pare_error *error)
{
    (void)self, (void)host, (void)error;
#if CASE_INIT_ONCE
    if (hosts > 0) return PARE_E_STATE;
#endif
    return hosts++, PARE_OK;
}

static void deinit(const pare_module *self) { (void)self, hosts--; }

PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const pare_module module = {
        .magic = PARE_MODULE_MAGIC, .struct_size = sizeof module, .abi_major = PARE_ABI_MAJOR, .abi_minor = PARE_ABI_MINOR,
        .id = "org.example.kinds", .version = "1.0.0", .license = "Apache-2.0", .init = init, .deinit = deinit,
        .get_factory = get_factory};
    return (void)host_major, (void)host_minor, &module;
}
