/* pare/services.h — what the host offers to plugins, as tables found by id through pare_host.get_service.
 *
 * Built-in plugins use these tables and nothing else. All functions are [any] unless tagged otherwise. Each table grows at its
 * end; check PARE_HAS before using a member added after 1.0.
 */
#ifndef PARE_SERVICES_H
#define PARE_SERVICES_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PARE_SERVICE_MEMORY "pare.memory/1"
#define PARE_SERVICE_PARALLEL "pare.parallel/1"
#define PARE_SERVICE_RANDOM "pare.random/1"
#define PARE_SERVICE_VECTOR "pare.vector/1"
#define PARE_SERVICE_LOG "pare.log/1"
#define PARE_SERVICE_REGISTRY "pare.registry/1"

/* Scratch and state memory that the host can account for. Since 1.0. */
typedef struct pare_memory_service {
    uint32_t struct_size;
    uint32_t reserved;
    /* 64-byte aligned, not cleared; NULL when there is none or size is 0. */
    void *(*allocate)(const pare_host *host, uint64_t size);
    void (*release)(const pare_host *host, void *block, uint64_t size); /* the size that was asked for; NULL is fine */
} pare_memory_service;

/* The host's threads. Since 1.0. */
typedef struct pare_parallel_service {
    uint32_t struct_size;
    uint32_t reserved;
    uint32_t (*thread_count)(const pare_host *host); /* ≥ 1 */
    /* Run body(user, i) for 0 ≤ i < count; the caller takes part and gets control back when all are done. Bodies may run in any
     * order and concurrently; choose `count` from the data, never from thread_count, so that results do not depend on it. A nested
     * call runs in its caller's thread. */
    void (*parallel_for)(const pare_host *host, uint64_t count, void (*body)(void *user, uint64_t index), void *user);
} pare_parallel_service;

/* Counter-based random numbers: draw i of stream s under a seed is the same for every call order and thread. Since 1.0. */
typedef struct pare_random_service {
    uint32_t struct_size;
    uint32_t reserved;
    /* out[k] = draw (first + k), uniform in [0,1), 24 bits. */
    void (*uniform_f32)(const pare_host *host, uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, float *out);
    void (*normal_f32)(const pare_host *host, uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, float *out);
    void (*bits_u64)(const pare_host *host, uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, uint64_t *out);
} pare_random_service;

#define PARE_REDUCE_L1 1   /* Σ|x| */
#define PARE_REDUCE_L2 2   /* √Σx² */
#define PARE_REDUCE_MAX 3  /* max|x|, 0 for none */
#define PARE_REDUCE_SUM 4
#define PARE_REDUCE_SQUARES 5 /* Σx² */

/* Reading any dtype and any strides at memory speed. Results do not depend on the number of threads. Since 1.0. */
typedef struct pare_vector_service {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t (*element_count)(const pare_tensor *tensor); /* -1 for a malformed view */
    /* Elements first … first+count-1 in row-major order, converted. Any dtype. */
    int32_t (*read_f32)(const pare_host *host, const pare_tensor *tensor, int64_t first, int64_t count, float *out,
                        pare_error *error);
    int32_t (*read_f64)(const pare_host *host, const pare_tensor *tensor, int64_t first, int64_t count, double *out,
                        pare_error *error);
    /* |x| of the same, the hot path of magnitude. */
    int32_t (*read_abs_f32)(const pare_host *host, const pare_tensor *tensor, int64_t first, int64_t count, float *out,
                            pare_error *error);
    /* Reduce the trailing axes of each of the units given by the leading unit_ndim axes; accumulated in float64. out: one float per
     * unit. unit_ndim == ndim reduces single elements (|x| for L1, L2 and MAX). */
    int32_t (*reduce_f32)(const pare_host *host, const pare_tensor *tensor, int32_t unit_ndim, int32_t reduction, float *out,
                          pare_error *error);
    /* Stable order of indices by ascending key (ties by index): out is a permutation of 0 … count-1. */
    int32_t (*argsort_f32)(const pare_host *host, const float *keys, int64_t count, int64_t *out, pare_error *error);
} pare_vector_service;

#define PARE_LOG_DEBUG 0
#define PARE_LOG_INFO 1
#define PARE_LOG_WARNING 2

/* Messages for the user; the host decides where they go (into the report by default). Since 1.0. */
typedef struct pare_log_service {
    uint32_t struct_size;
    uint32_t reserved;
    void (*message)(const pare_host *host, int32_t level, const char *text);
} pare_log_service;

/* Other plugins: SDS names a base solver, estimators nest a prox. Since 1.0. */
typedef struct pare_registry_service {
    uint32_t struct_size;
    uint32_t reserved;
    /* Make an instance of another plugin; options as pairs of texts, NULL-terminated: key, value, key, value, NULL (or NULL). The
     * caller destroys it through its destroy. */
    int32_t (*create)(const pare_host *host, const char *kind, const char *id, const char *const *options, pare_instance **out,
                      pare_error *error);
} pare_registry_service;

#ifdef __cplusplus
}
#endif
#endif /* PARE_SERVICES_H */
