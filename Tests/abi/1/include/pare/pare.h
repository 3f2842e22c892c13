/* pare/pare.h — umbrella for callers of libpare.so.
 *
 *     pare_context *context;  pare_model *model;  pare_error error = {.struct_size = sizeof error};
 *     if (pare_context_create(NULL, &context, &error)) …
 *     if (pare_model_open(context, "model.onnx", &model, &error)) …
 *     pare_prune_request request = {.struct_size = sizeof request, .criterion = "magnitude", .sparsity = 0.9};
 *     if (pare_prune(context, model, &request, NULL, &error)) …
 *     if (pare_model_save(model, "pruned.onnx", NULL, NULL, &error)) …
 *
 * Plugin authors include pare/plugin.h instead and do not link libpare.
 */
#ifndef PARE_PARE_H
#define PARE_PARE_H

#include "base.h"
#include "context.h"
#include "graph.h"
#include "mask.h"
#include "model.h"
#include "prune.h"

#endif /* PARE_PARE_H */
