/* pare/kinds/penalty.h — a regulariser, for networks and for linear models alike.
 *
 * It acts on an ordered list of tensors: one parameter (L1, nuclear norm), the members of a channel group (group norms across
 * tensors), a product of parameters, or an activation tapped from the graph (attention maps). Each comes with a coefficient
 * λ and, where wanted, a tensor of coefficients per element (MaskSparsity's mask, weighted Lasso; 0 = unpenalised).
 */
#ifndef PARE_KINDS_PENALTY_H
#define PARE_KINDS_PENALTY_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PARE_TAP_PARAMETER 0
#define PARE_TAP_ACTIVATION 1

/* One tensor under the penalty. Growing; borrowed for the call. Since 1.0. */
typedef struct pare_penalty_term {
    uint32_t struct_size;
    int32_t tap;                 /* PARE_TAP_… */
    const char *name;
    const pare_tensor *value;    /* float32 or float64 */
    const pare_tensor *weights;  /* per element, same shape (strides may be 0), or NULL for all ones */
    double coefficient;          /* λ of this term, ≥ 0 */
    int32_t row_axes;            /* leading axes that form the rows when the tensor is read as a matrix */
    int32_t group_ndim;          /* leading axes that enumerate groups; 0 = the whole tensor is one group */
    const int64_t *group_of;     /* group index per element (row-major), overrides group_ndim; or NULL */
} pare_penalty_term;

/* Borrowed for the call. Growing. Since 1.0. */
typedef struct pare_penalty_request pare_penalty_request;
struct pare_penalty_request {
    uint32_t struct_size;
    uint32_t term_count;
    double step;       /* learning rate or prox step t > 0; NaN when not known */
    int64_t iteration; /* of the training, -1 when not known */
    void *host_data;
    /* Term `index` < term_count; valid until the call returns. [any] */
    const pare_penalty_term *(*term)(const pare_penalty_request *self, uint32_t index);
    const pare_run *run; /* may be NULL */
};

/* Every function but value is optional (NULL). Outputs are lists of term_count tensors shaped like the terms. Growing. Since 1.0. */
typedef struct pare_penalty {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* Ω = Σ λ_i Ω_i. [instance] */
    int32_t (*value)(pare_instance *self, const pare_penalty_request *request, double *out, pare_error *error);
    /* ADD a (sub)gradient of Ω to each out; sign(0) = 0. [instance] */
    int32_t (*gradient)(pare_instance *self, const pare_penalty_request *request, pare_tensor *const *out, pare_error *error);
    /* out = argmin_z ½‖z - x‖² + step·Ω(z), x = the terms' values; out may be x itself. [instance] */
    int32_t (*prox)(pare_instance *self, const pare_penalty_request *request, pare_tensor *const *out, pare_error *error);
    /* Dual norm of the terms' values (λ taken as 1). [instance] */
    int32_t (*dual_norm)(pare_instance *self, const pare_penalty_request *request, double *out, pare_error *error);
    /* Weights of the weighted-L1 majoriser at the values (multi-stage convex relaxation); +inf excludes. [instance] */
    int32_t (*majorizer)(pare_instance *self, const pare_penalty_request *request, pare_tensor *const *out, pare_error *error);
    /* η of the variational form Ω(x) = min_η ½ Σ x²/η + ½ ω(η) at the values (VarPro, cone norms). [instance] */
    int32_t (*eta)(pare_instance *self, const pare_penalty_request *request, pare_tensor *const *out, pare_error *error);
    /* Analysis operator D with Ω(x) = ‖D x‖ (total variation, trend filtering): forward y = D x, and adjoint. `length`
     * answers the size of y. One term, 1-d contiguous outputs. [instance] */
    int32_t (*operator_length)(pare_instance *self, const pare_penalty_request *request, int64_t *out, pare_error *error);
    int32_t (*operator_apply)(pare_instance *self, const pare_penalty_request *request, pare_tensor *out, pare_error *error);
    int32_t (*operator_adjoint)(pare_instance *self, const pare_penalty_request *request, const pare_tensor *dual,
                                pare_tensor *out, pare_error *error);
    /* Modulus ρ of weak convexity (prox is unique for step < 1/ρ); 0 = convex, +inf = none. [instance] */
    int32_t (*weak_convexity)(pare_instance *self, double *out, pare_error *error);
} pare_penalty;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_PENALTY_H */
