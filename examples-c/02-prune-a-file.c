/* 02-prune-a-file — zero the smallest weights of a model and write it in the format it came in.
 *
 *   prune-a-file MODEL OUT SPARSITY        prune-a-file model.onnx pruned.onnx 0.9
 */
#include <pare/pare.h>
#include <stdio.h>
#include <stdlib.h>

static int report_layers(const pare_report *report, pare_error *error)
{
    printf("%-40s %12s %12s %9s\n", "parameter", "elements", "zeros", "sparsity");
    for (uint32_t i = 0; i < pare_report_layer_count(report); i++) {
        pare_report_layer layer = {.struct_size = sizeof layer};
        int32_t status = pare_report_layer_at(report, i, &layer, error);
        if (status != PARE_OK) return status;
        if (!layer.pruned) continue; /* layer.note says why */
        double sparsity = layer.elements > 0 ? (double)layer.zeros / (double)layer.elements : 0;
        printf("%-40s %12lld %12lld %9.4f\n", layer.name, (long long)layer.elements, (long long)layer.zeros, sparsity);
    }
    printf("sparsity of the pruned layers: %.6f\n", pare_report_sparsity(report));
    return PARE_OK;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: prune-a-file MODEL OUT SPARSITY\n");
        return 2;
    }
    pare_error error = {.struct_size = sizeof error};
    pare_context *context = NULL;
    pare_model *model = NULL;
    pare_report *report = NULL;
    pare_prune_request request = {
        .struct_size = sizeof request,
        .criterion = "magnitude",
        .allocation = "global",
        .sparsity = strtod(argv[3], NULL),
        .strict = 1,
    };

    /* Each step runs if the one before it worked; every handle may be destroyed even when it was never made. */
    int32_t status = pare_context_create(NULL, &context, &error);
    if (status == PARE_OK) status = pare_model_open(context, argv[1], &model, &error);
    if (status == PARE_OK) status = pare_prune(context, model, &request, &report, &error);
    if (status == PARE_OK) status = report_layers(report, &error);
    if (status == PARE_OK) status = pare_model_save(model, argv[2], NULL, NULL, &error);
    if (status != PARE_OK) fprintf(stderr, "%s\n", error.message);

    pare_report_destroy(report);
    pare_model_destroy(model);
    pare_context_destroy(context);
    return status == PARE_OK ? 0 : 1;
}
