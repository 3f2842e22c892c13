/* host.h — a host in one header: naive services for the harness. Slow, plain and written from the headers alone, so that a
 * plugin is checked against something that shares no code with Pare. */
#ifndef HARNESS_HOST_H
#define HARNESS_HOST_H

#include <math.h>
#include <pare/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *host_denied = "";  /* a service id that this host claims not to have */
static int64_t host_blocks = 0;       /* blocks allocated and not released */

static int32_t host_fail(pare_error *error, int32_t code, const char *message)
{
    if (PARE_HAS(error, message)) snprintf(error->message, sizeof error->message, "%s", message);
    if (PARE_HAS(error, code)) error->code = code;
    return code;
}

static double half_bits(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 31  ? (fraction ? NAN : INFINITY)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static double bfloat_bits(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static double element_at(const char *address, pare_dtype dtype)
{
    union { float f; double d; uint16_t h; int8_t i8; uint8_t u8; int16_t i16; int32_t i32; int64_t i64; } x;
    memcpy(&x, address, dtype.bits / 8);
    switch (dtype.code << 8 | dtype.bits) {
    case PARE_TYPE_FLOAT << 8 | 16: return half_bits(x.h);
    case PARE_TYPE_FLOAT << 8 | 32: return x.f;
    case PARE_TYPE_FLOAT << 8 | 64: return x.d;
    case PARE_TYPE_BFLOAT << 8 | 16: return bfloat_bits(x.h);
    case PARE_TYPE_INT << 8 | 8: return x.i8;
    case PARE_TYPE_INT << 8 | 16: return x.i16;
    case PARE_TYPE_INT << 8 | 32: return x.i32;
    case PARE_TYPE_INT << 8 | 64: return (double)x.i64;
    default: return x.u8; /* uint8, bool */
    }
}

static int64_t element_count(const pare_tensor *tensor)
{
    if (tensor == NULL || tensor->ndim < 0 || tensor->ndim > PARE_MAX_NDIM) return -1;
    int64_t count = 1;
    for (int axis = 0; axis < tensor->ndim; axis++) {
        if (tensor->shape[axis] < 0) return -1;
        if (__builtin_mul_overflow(count, tensor->shape[axis], &count)) return -1;
    }
    return count;
}

/* Element `index` in row-major order. */
static double element(const pare_tensor *tensor, int64_t index)
{
    int64_t offset = 0;
    for (int axis = tensor->ndim - 1; axis >= 0; axis--) {
        offset += index % tensor->shape[axis] * tensor->strides[axis];
        index /= tensor->shape[axis];
    }
    return element_at((const char *)tensor->data + tensor->byte_offset + offset * (tensor->dtype.bits / 8), tensor->dtype);
}

static int32_t check_range(const pare_tensor *tensor, int64_t first, int64_t count, pare_error *error)
{
    int64_t total = element_count(tensor);
    if (total < 0 || first < 0 || count < 0 || first > total || count > total - first)
        return host_fail(error, PARE_E_ARGUMENT, "range outside the tensor");
    return PARE_OK;
}

#define DEFINE_READ(name, type, expression)                                                                             \
    static int32_t name(const pare_host *host, const pare_tensor *tensor, int64_t first, int64_t count, type *out,      \
                        pare_error *error)                                                                              \
    {                                                                                                                   \
        (void)host;                                                                                                     \
        int32_t status = check_range(tensor, first, count, error);                                                      \
        if (status != PARE_OK) return status;                                                                           \
        for (int64_t k = 0; k < count; k++) {                                                                           \
            double x = element(tensor, first + k);                                                                      \
            out[k] = (type)(expression);                                                                                \
        }                                                                                                               \
        return PARE_OK;                                                                                                 \
    }
DEFINE_READ(read_f32, float, x)
DEFINE_READ(read_f64, double, x)
DEFINE_READ(read_abs_f32, float, fabs(x))

static int32_t reduce_f32(const pare_host *host, const pare_tensor *tensor, int32_t unit_ndim, int32_t reduction, float *out,
                          pare_error *error)
{
    (void)host;
    int64_t units = 1, size = 1;
    if (element_count(tensor) < 0 || unit_ndim < 0 || unit_ndim > tensor->ndim)
        return host_fail(error, PARE_E_ARGUMENT, "unit_ndim is out of range");
    for (int axis = 0; axis < tensor->ndim; axis++) *(axis < unit_ndim ? &units : &size) *= tensor->shape[axis];
    for (int64_t unit = 0; unit < units; unit++) {
        double sum = 0;
        for (int64_t k = 0; k < size; k++) {
            double x = element(tensor, unit * size + k);
            if (reduction == PARE_REDUCE_L1) sum += fabs(x);
            else if (reduction == PARE_REDUCE_SUM) sum += x;
            else if (reduction == PARE_REDUCE_MAX) sum = fmax(sum, fabs(x));
            else sum += x * x;
        }
        out[unit] = (float)(reduction == PARE_REDUCE_L2 ? sqrt(sum) : sum);
    }
    return PARE_OK;
}

static int32_t argsort_f32(const pare_host *host, const float *keys, int64_t count, int64_t *out, pare_error *error)
{
    (void)host, (void)error;
    for (int64_t i = 0; i < count; i++) { /* insertion sort: stable */
        int64_t at = i;
        for (; at > 0 && keys[out[at - 1]] > keys[i]; at--) out[at] = out[at - 1];
        out[at] = i;
    }
    return PARE_OK;
}

static void *allocate(const pare_host *host, uint64_t size)
{
    (void)host;
    void *block = size == 0 ? NULL : aligned_alloc(64, (size + 63) / 64 * 64);
    if (block != NULL) memset(block, 0xA5, size), host_blocks++;
    return block;
}

static void release(const pare_host *host, void *block, uint64_t size)
{
    (void)host, (void)size;
    if (block != NULL) host_blocks--;
    free(block);
}

static uint32_t thread_count(const pare_host *host) { return (void)host, 1; }

static void parallel_for(const pare_host *host, uint64_t count, void (*body)(void *user, uint64_t index), void *user)
{
    (void)host;
    for (uint64_t i = count; i-- > 0;) body(user, i); /* backwards: order must not matter */
}

/* splitmix64 of (seed, stream, index): any counter-based generator will do here. */
static uint64_t draw(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t x = (seed * 0x9E3779B97F4A7C15u) ^ (stream + 0x632BE59BD9B4E019u * (index + 1));
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static void uniform_f32(const pare_host *host, uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, float *out)
{
    (void)host;
    for (uint64_t k = 0; k < count; k++) out[k] = (float)(draw(seed, stream, first + k) >> 40) * 0x1p-24f;
}

static void normal_f32(const pare_host *host, uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, float *out)
{
    (void)host;
    for (uint64_t k = 0; k < count; k++) {
        double u = (double)((draw(seed, stream, first + k) >> 11) + 1) * 0x1p-53;
        double v = (double)(draw(~seed, stream, first + k) >> 11) * 0x1p-53;
        out[k] = (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    }
}

static void bits_u64(const pare_host *host, uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, uint64_t *out)
{
    (void)host;
    for (uint64_t k = 0; k < count; k++) out[k] = draw(seed, stream, first + k);
}

static void log_message(const pare_host *host, int32_t level, const char *text)
{
    (void)host;
    fprintf(stderr, "log %d: %s\n", level, text);
}

static const void *get_service(const pare_host *host, const char *id)
{
    static const pare_memory_service memory = {sizeof memory, 0, allocate, release};
    static const pare_parallel_service parallel = {sizeof parallel, 0, thread_count, parallel_for};
    static const pare_random_service random = {sizeof random, 0, uniform_f32, normal_f32, bits_u64};
    static const pare_vector_service vector = {sizeof vector, 0,          element_count, read_f32,
                                               read_f64,      read_abs_f32, reduce_f32,    argsort_f32};
    static const pare_log_service log = {sizeof log, 0, log_message};
    static const struct { const char *id; const void *table; } services[] = {
        {PARE_SERVICE_MEMORY, &memory}, {PARE_SERVICE_PARALLEL, &parallel}, {PARE_SERVICE_RANDOM, &random},
        {PARE_SERVICE_VECTOR, &vector}, {PARE_SERVICE_LOG, &log},
    };
    (void)host;
    if (id == NULL || strcmp(id, host_denied) == 0) return NULL;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcmp(services[i].id, id) == 0) return services[i].table;
    return NULL;
}

static const pare_host the_host = {
    .struct_size = sizeof the_host,
    .abi_major = PARE_ABI_MAJOR,
    .abi_minor = PARE_ABI_MINOR,
    .name = "harness",
    .version = "1.0.0",
    .get_service = get_service,
};

#endif
