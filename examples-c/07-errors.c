/* 07-errors — what goes wrong and what is said about it: provoke five errors and show their records.
 *
 * The record is the caller's: no global state, nothing to free. `message` alone is enough for a user; the other members are
 * for programs. Passing NULL instead of a record is allowed.
 */
#include <pare/pare.h>
#include <stdio.h>
#include <string.h>

static int mistakes;

static void expect(const char *what, int32_t expected, int32_t status, pare_error *error)
{
    printf("%s\n  %d %s\n  %s\n", what, status, pare_status_name(status), error->message);
    if (error->where[0] != '\0') printf("  where     %s\n", error->where);
    if (error->found[0] != '\0') printf("  found     %s\n", error->found);
    if (error->expected[0] != '\0') printf("  expected  %s\n", error->expected);
    if (error->hint[0] != '\0') printf("  hint      %s\n", error->hint);
    if (status != expected) {
        printf("  but %s was expected\n", pare_status_name(expected));
        mistakes++;
    }
    *error = (pare_error){.struct_size = sizeof *error};
}

int main(void)
{
    pare_error error = {.struct_size = sizeof error};
    pare_context *context = NULL;
    if (pare_context_create(NULL, &context, &error) != PARE_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }

    pare_model *model = NULL;
    int32_t status = pare_model_open(context, "/nowhere/model.onnx", &model, &error);
    expect("a file that is not there", PARE_E_NOT_FOUND, status, &error);

    pare_plugin_info info = {.struct_size = sizeof info};
    status = pare_plugin_find(context, PARE_KIND_CRITERION, "magnitud", &info, &error);
    expect("a plugin with a misspelt id", PARE_E_NOT_FOUND, status, &error);

    float weights[4] = {1, -2, 3, -4}, scores[4] = {0};
    int64_t shape[] = {4}, strides[] = {1}, length = 4;
    pare_tensor weight = {.data = weights, .device = {1, 0}, .ndim = 1, .dtype = {PARE_TYPE_FLOAT, 32, 1}, .shape = shape,
                          .strides = strides};
    pare_tensor out = weight;
    out.data = scores, out.shape = &length;
    const char *options[] = {"norm", "l3", NULL};
    status = pare_score(context, "magnitude", options, &weight, NULL, &out, NULL, &error);
    expect("an option with a value that it does not have", PARE_E_OPTION, status, &error);

    length = 3;
    status = pare_score(context, "magnitude", NULL, &weight, NULL, &out, NULL, &error);
    expect("room for three scores of four weights", PARE_E_SHAPE, status, &error);
    if (memcmp(scores, (float[4]){0}, sizeof scores) != 0) mistakes++; /* nothing is written after a failure */

    pare_prune_request request = {.struct_size = sizeof request, .sparsity = 1.5};
    status = pare_model_create(context, &model, &error);
    if (status == PARE_OK) status = pare_prune(context, model, &request, NULL, &error);
    expect("more than everything", PARE_E_ARGUMENT, status, &error);

    pare_model_destroy(model);
    pare_context_destroy(context);
    return mistakes == 0 ? 0 : 1;
}
