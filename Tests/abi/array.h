/* array.h — arrays of any element type and order of axes, made from doubles. */
#ifndef HARNESS_ARRAY_H
#define HARNESS_ARRAY_H

#include <math.h>
#include <pare/tensor.h>
#include <stdlib.h>
#include <string.h>

typedef struct array {
    pare_tensor view;
    int64_t shape[PARE_MAX_NDIM], strides[PARE_MAX_NDIM];
    size_t bytes;
} array;

static uint16_t to_bfloat(double value)
{
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static uint16_t to_half(double value) /* finite, in range; exact values only */
{
    int exponent;
    double fraction = frexp(fabs(value), &exponent);
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (value == 0) return sign;
    if (exponent < -13) return (uint16_t)(sign | (uint16_t)nearbyint(ldexp(fabs(value), 24)));
    return (uint16_t)(sign | ((exponent + 14) << 10) | ((uint16_t)nearbyint(ldexp(fraction, 11)) & 1023));
}

static void store(char *address, pare_dtype dtype, double value)
{
    float f = (float)value;
    uint16_t h = dtype.code == PARE_TYPE_BFLOAT ? to_bfloat(value) : to_half(value);
    uint8_t u = value != 0;
    if (dtype.bits == 64) memcpy(address, &value, 8);
    else if (dtype.bits == 32) memcpy(address, &f, 4);
    else if (dtype.bits == 16) memcpy(address, &h, 2);
    else memcpy(address, &u, 1);
}

static pare_dtype dtype_named(const char *name)
{
    if (name != NULL && strcmp(name, "f64") == 0) return (pare_dtype){PARE_TYPE_FLOAT, 64, 1};
    if (name != NULL && strcmp(name, "f16") == 0) return (pare_dtype){PARE_TYPE_FLOAT, 16, 1};
    if (name != NULL && strcmp(name, "bf16") == 0) return (pare_dtype){PARE_TYPE_BFLOAT, 16, 1};
    if (name != NULL && strcmp(name, "bool") == 0) return (pare_dtype){PARE_TYPE_BOOL, 8, 1};
    return (pare_dtype){PARE_TYPE_FLOAT, 32, 1};
}

/* What the program never frees stays reachable, so that a leak checker speaks of the plugin's memory alone. */
static void *keep(void *block)
{
    static void *blocks[4096];
    static size_t count;
    if (count < sizeof blocks / sizeof *blocks) blocks[count++] = block;
    return block;
}

/* An array of `ndim` axes; `transposed` stores the first axis innermost, so that strides are not row-major. */
static array *make_array(const int64_t *shape, int ndim, pare_dtype dtype, int transposed, const double *values)
{
    array *a = keep(calloc(1, sizeof *a));
    int64_t count = 1;
    for (int k = 0; k < ndim; k++) {
        int axis = transposed ? k : ndim - 1 - k;
        a->shape[axis] = shape[axis], a->strides[axis] = count, count *= shape[axis];
    }
    a->bytes = (size_t)count * dtype.bits / 8;
    a->view = (pare_tensor){keep(calloc(1, a->bytes + 64)), {1, 0}, ndim, dtype, a->shape, a->strides, 0};
    for (int64_t index = 0; index < count; index++) {
        int64_t rest = index, offset = 0;
        for (int axis = ndim - 1; axis >= 0; axis--) offset += rest % shape[axis] * a->strides[axis], rest /= shape[axis];
        store((char *)a->view.data + offset * (dtype.bits / 8), dtype, values ? values[index] : 0);
    }
    return a;
}

#endif
