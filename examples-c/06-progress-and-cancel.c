/* 06-progress-and-cancel — watch a long call, and stop it from elsewhere: here with Ctrl-C, or after a given fraction.
 *
 *   progress-and-cancel MODEL OUT SPARSITY [STOP_AT]      a cancelled run exits with 3 and writes nothing
 */
#include <pare/pare.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

typedef struct watch {
    double fraction;
    double stop_at;
} watch;

/* May arrive on any thread, but never two at a time. */
static void on_progress(void *user, double fraction, const char *text)
{
    watch *me = user;
    me->fraction = fraction;
    fprintf(stderr, "\r%5.1f %%  %-50.50s", 100 * fraction, text);
}

/* Asked at least once per tensor: 0 stops the call. */
static int32_t on_keep_going(void *user)
{
    const watch *me = user;
    return !interrupted && me->fraction < me->stop_at;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: progress-and-cancel MODEL OUT SPARSITY [STOP_AT]\n");
        return 2;
    }
    signal(SIGINT, on_interrupt);
    watch me = {.fraction = 0, .stop_at = argc > 4 ? strtod(argv[4], NULL) : 2};
    pare_run run = {.struct_size = sizeof run, .user = &me, .progress = on_progress, .keep_going = on_keep_going};
    pare_prune_request request = {.struct_size = sizeof request, .sparsity = strtod(argv[3], NULL), .run = &run};

    pare_error error = {.struct_size = sizeof error};
    pare_context *context = NULL;
    pare_model *model = NULL;
    int32_t status = pare_context_create(NULL, &context, &error);
    if (status == PARE_OK) status = pare_model_open(context, argv[1], &model, &error);
    if (status == PARE_OK) status = pare_prune(context, model, &request, NULL, &error);
    if (status == PARE_OK) {
        me.fraction = 0; /* the next call counts from 0 again */
        status = pare_model_save(model, argv[2], NULL, &run, &error);
    }
    fprintf(stderr, "\n");
    if (status == PARE_E_CANCELLED) printf("cancelled; the model is as it was and nothing was written\n");
    else if (status != PARE_OK) fprintf(stderr, "%s\n", error.message);
    else printf("written: %s\n", argv[2]);

    pare_model_destroy(model);
    pare_context_destroy(context);
    return status == PARE_OK ? 0 : status == PARE_E_CANCELLED ? 3 : 1;
}
