/* 05-callback-criterion — a function of this program as a criterion, with data of its own; no plugin file.
 *
 * The weights arrive as float32, units × elements, whatever the model holds. Here: the spread of a row (largest minus
 * smallest weight), counted how often it was asked.
 */
#include <pare/pare.h>
#include <stdio.h>

typedef struct counter {
    int calls;
    int destroyed;
} counter;

static int32_t spread(void *user, const char *parameter, const float *weights, int64_t units, int64_t elements, float *scores,
                      char *message, uint64_t message_capacity)
{
    counter *count = user;
    count->calls++;
    if (elements == 0) { /* any status but PARE_OK stops the run; the message reaches the user */
        snprintf(message, message_capacity, "%s has rows without weights", parameter);
        return PARE_E_SHAPE;
    }
    for (int64_t unit = 0; unit < units; unit++, weights += elements) {
        float low = weights[0], high = weights[0];
        for (int64_t k = 1; k < elements; k++) {
            if (weights[k] < low) low = weights[k];
            if (weights[k] > high) high = weights[k];
        }
        scores[unit] = high - low;
    }
    return PARE_OK;
}

static void forget(void *user) { ((counter *)user)->destroyed = 1; }

/* A model of one 4 × 3 matrix, made in memory. */
static int32_t make_model(pare_context *context, pare_model **model, pare_error *error)
{
    float values[4][3] = {{1, 2, 3}, {5, 5, 5}, {-4, 0, 4}, {0.1f, 0.2f, 0.1f}};
    int64_t shape[] = {4, 3}, strides[] = {3, 1};
    pare_tensor view = {.data = values, .device = {1, 0}, .ndim = 2, .dtype = {PARE_TYPE_FLOAT, 32, 1}, .shape = shape,
                        .strides = strides};
    int32_t status = pare_model_create(context, model, error);
    return status == PARE_OK ? pare_model_add(*model, "layer.weight", &view, PARE_ROLE_WEIGHT, error) : status;
}

static int32_t print_rows(pare_model *model, pare_error *error)
{
    pare_tensor view;
    int32_t status = pare_parameter_view(model, 0, &view, error);
    if (status != PARE_OK) return status;
    const float *values = (const float *)((const char *)view.data + view.byte_offset);
    for (int64_t row = 0; row < view.shape[0]; row++) {
        for (int64_t col = 0; col < view.shape[1]; col++)
            printf("%6.1f", values[row * view.strides[0] + col * view.strides[1]]);
        printf("\n");
    }
    return PARE_OK;
}

int main(void)
{
    counter count = {0, 0};
    pare_callback_criterion criterion = {
        .struct_size = sizeof criterion,
        .flags = PARE_FLAG_DETERMINISTIC | PARE_FLAG_LOCAL,
        .id = "spread",
        .summary = "largest minus smallest weight of a row",
        .user = &count,
        .score = spread,
        .destroy = forget,
    };
    pare_pattern rows = {.struct_size = sizeof rows, .granularity = PARE_GRANULARITY_ROW};
    pare_prune_request request = {
        .struct_size = sizeof request, .criterion = "spread", .pattern = &rows, .sparsity = 0.5};

    pare_error error = {.struct_size = sizeof error};
    pare_context *context = NULL;
    pare_model *model = NULL;
    int32_t status = pare_context_create(NULL, &context, &error);
    if (status == PARE_OK) status = pare_context_register_criterion(context, &criterion, &error);
    if (status == PARE_OK) status = make_model(context, &model, &error);
    if (status == PARE_OK) status = pare_prune(context, model, &request, NULL, &error);
    if (status == PARE_OK) status = print_rows(model, &error); /* rows 1 and 3 have the smallest spread: now zero */
    if (status != PARE_OK) fprintf(stderr, "%s\n", error.message);

    pare_model_destroy(model);
    pare_context_destroy(context);
    printf("asked: %s, told of the end: %s\n", count.calls > 0 ? "yes" : "no", count.destroyed ? "yes" : "no");
    return status == PARE_OK && count.destroyed ? 0 : 1;
}
