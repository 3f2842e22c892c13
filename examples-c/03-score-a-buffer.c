/* 03-score-a-buffer — a criterion on plain floats: no model, no file.
 *
 * The view says how the memory reads as a tensor; nothing is copied. Here 4 rows of 6 weights are scored by element, then by
 * row, and a 1:3 mask is made of the element scores.
 */
#include <pare/pare.h>
#include <stdio.h>

enum { ROWS = 4, COLS = 6 };

static pare_tensor view(void *data, int32_t ndim, int64_t *shape, int64_t *strides, uint8_t code, uint8_t bits)
{
    return (pare_tensor){.data = data, .device = {1, 0}, .ndim = ndim, .dtype = {code, bits, 1}, .shape = shape,
                         .strides = strides};
}

static int32_t score(pare_context *context, const pare_tensor *weight, int32_t granularity, float *out, int64_t units,
                     pare_error *error)
{
    int64_t stride = 1;
    pare_tensor scores = view(out, 1, &units, &stride, PARE_TYPE_FLOAT, 32);
    pare_pattern pattern = {.struct_size = sizeof pattern, .granularity = granularity};
    const char *options[] = {"norm", "l2", NULL};
    return pare_score(context, "magnitude", options, weight, &pattern, &scores, NULL, error);
}

static int32_t print_mask(const pare_mask *mask, pare_error *error)
{
    uint8_t kept[ROWS * COLS];
    int64_t shape[] = {ROWS, COLS}, strides[] = {COLS, 1};
    pare_tensor bytes = view(kept, 2, shape, strides, PARE_TYPE_BOOL, 8);
    int32_t status = pare_mask_read(mask, &bytes, error);
    if (status != PARE_OK) return status;
    printf("kept %lld of %d\n", (long long)pare_mask_kept(mask), ROWS * COLS);
    for (int row = 0; row < ROWS; row++) {
        for (int col = 0; col < COLS; col++) putchar(kept[row * COLS + col] ? '1' : '.');
        putchar('\n');
    }
    return PARE_OK;
}

int main(void)
{
    float weights[ROWS][COLS] = {
        {0.1f, -2.0f, 0.3f, 1.5f, -0.2f, 0.9f},
        {0.0f, 0.1f, -0.1f, 0.2f, 0.0f, 0.1f},
        {3.0f, -3.0f, 2.5f, 0.5f, 1.0f, -1.0f},
        {-0.7f, 0.6f, 0.5f, -0.4f, 0.3f, 0.2f},
    };
    int64_t shape[] = {ROWS, COLS}, strides[] = {COLS, 1};
    pare_tensor weight = view(weights, 2, shape, strides, PARE_TYPE_FLOAT, 32);

    pare_error error = {.struct_size = sizeof error};
    pare_context *context = NULL;
    pare_mask *mask = NULL;
    float rows[ROWS], elements[ROWS * COLS];
    int32_t status = pare_context_create(NULL, &context, &error);
    if (status == PARE_OK) status = score(context, &weight, PARE_GRANULARITY_ROW, rows, ROWS, &error);
    for (int row = 0; status == PARE_OK && row < ROWS; row++) printf("row %d: %.4f\n", row, rows[row]);

    if (status == PARE_OK) status = score(context, &weight, PARE_GRANULARITY_ELEMENT, elements, ROWS * COLS, &error);
    if (status == PARE_OK) {
        /* 1:3 keeps one of each three consecutive weights of a row. */
        pare_pattern pattern = {.struct_size = sizeof pattern, .granularity = PARE_GRANULARITY_NM, .n = 1, .m = 3};
        int64_t length = ROWS * COLS, step = 1;
        pare_tensor scores = view(elements, 1, &length, &step, PARE_TYPE_FLOAT, 32);
        status = pare_mask_select(&scores, shape, 2, &pattern, 0, &mask, &error);
    }
    if (status == PARE_OK) status = print_mask(mask, &error);
    if (status != PARE_OK) fprintf(stderr, "%s\n", error.message);

    pare_mask_destroy(mask);
    pare_context_destroy(context);
    return status == PARE_OK ? 0 : 1;
}
