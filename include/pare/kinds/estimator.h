/* pare/kinds/estimator.h — fits a penalised (generalised) linear model on data.
 *
 * minimise  (1/n) Σ w_i loss(y_i, x_iᵀ b + offset_i) + λ Ω(b),   X of n × p: an array, or an operator with apply and adjoint.
 */
#ifndef PARE_KINDS_ESTIMATOR_H
#define PARE_KINDS_ESTIMATOR_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PARE_LOSS_SQUARED 0   /* ½(y - t)² */
#define PARE_LOSS_LOGISTIC 1  /* y in {0,1} */
#define PARE_LOSS_POISSON 2   /* log link */

/* Design as an operator, for X that is sparse or never formed. NULL members: not available. [instance] Growing. Since 1.0. */
typedef struct pare_operator pare_operator;
struct pare_operator {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t rows, cols;
    void *user;
    int32_t (*apply)(const pare_operator *self, const pare_tensor *x, pare_tensor *y, pare_error *error);   /* y = X x */
    int32_t (*adjoint)(const pare_operator *self, const pare_tensor *y, pare_tensor *x, pare_error *error); /* x = Xᵀ y */
};

/* Compressed sparse columns. Frozen. Since 1.0. */
typedef struct pare_csc {
    int64_t rows, cols;
    const int64_t *starts;  /* cols + 1 */
    const int64_t *indices; /* row of each value, ascending within a column */
    const double *values;
} pare_csc;

/* Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_fit_request pare_fit_request;
struct pare_fit_request {
    uint32_t struct_size;
    int32_t loss;                 /* PARE_LOSS_… */
    const pare_tensor *design;    /* n × p float64, or NULL */
    const pare_csc *sparse;       /* or NULL */
    const pare_operator *matrix_free; /* or NULL; exactly one of the three is set */
    const pare_tensor *response;  /* n, or n × tasks */
    const pare_tensor *sample_weight; /* n or NULL */
    const pare_tensor *offset;    /* n or NULL */
    pare_instance *penalty;       /* an instance of kind penalty, or NULL for none; may be nested as a prox */
    const pare_tensor *penalty_weights; /* p; 0 = unpenalised; or NULL */
    const int64_t *group_of;      /* p group indices, or NULL */
    const double *lambdas;        /* decreasing; the path is warm-started */
    int64_t lambda_count;
    double tolerance;             /* on the relative duality gap */
    int64_t max_iterations;
    int32_t intercept;            /* 1 = fit an unpenalised one */
    int32_t reserved;
    const pare_tensor *start;     /* p, or NULL */
    const pare_run *run;          /* may be NULL */
};

/* Results go to the caller's buffers; NULL buffers are skipped. Growing. Since 1.0. */
typedef struct pare_fit_result {
    uint32_t struct_size;
    uint32_t reserved;
    pare_tensor *coefficients; /* lambda_count × p (× tasks), float64 */
    double *intercepts;        /* lambda_count (× tasks) */
    double *gaps;              /* lambda_count: duality gap reached; NaN where the penalty has none */
    int64_t *iterations;       /* lambda_count */
    pare_tensor *dual;         /* lambda_count × n: dual point that certifies the gap */
    void *host_data;
    /* Report a number about one λ, or about the whole path with lambda_index -1. [instance] */
    void (*report)(const struct pare_fit_result *self, const char *name, int64_t lambda_index, double value);
} pare_fit_result;

/* Growing. Since 1.0. */
typedef struct pare_estimator {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    int32_t (*fit)(pare_instance *self, const pare_fit_request *request, pare_fit_result *result, pare_error *error); /* [instance] */
    /* Smallest λ whose solution is all zero. Optional. [instance] */
    int32_t (*lambda_max)(pare_instance *self, const pare_fit_request *request, double *out, pare_error *error);
} pare_estimator;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_ESTIMATOR_H */
