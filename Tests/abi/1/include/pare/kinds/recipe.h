/* pare/kinds/recipe.h — a whole method as a state machine driven by events.
 *
 * A recipe never owns the training loop. It answers events, so the same binary runs under Pare's trainer, under a user's
 * PyTorch loop through ctypes and under a distributed job. What it may look at and change comes with the event, as a table.
 */
#ifndef PARE_KINDS_RECIPE_H
#define PARE_KINDS_RECIPE_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Events. A recipe ignores those it does not know and returns PARE_OK. Since 1.0. */
#define PARE_EVENT_BEGIN 1             /* parameters are readable; nothing has run */
#define PARE_EVENT_EPOCH_BEGIN 2
#define PARE_EVENT_STEP_BEGIN 3        /* before the forward pass: masks may be resampled, temperatures chosen */
#define PARE_EVENT_LAYER_INPUTS 4      /* statistics of one layer's inputs are complete; `parameter` names it */
#define PARE_EVENT_GRADIENTS 5         /* gradients are there and may be changed; `phase` says of which loss */
#define PARE_EVENT_UPDATED 6           /* the optimiser has written new values */
#define PARE_EVENT_EPOCH_END 7
#define PARE_EVENT_SWEEP_END 8         /* every layer has been offered once with LAYER_INPUTS */
#define PARE_EVENT_FINISH 9            /* last chance to set masks and values */

#define PARE_PHASE_TRAIN 0
#define PARE_PHASE_VALIDATION 1        /* architecture step of a bi-level search */

/* Answers. Bits of *answer. Since 1.0. */
#define PARE_ANSWER_STOP 1u            /* end the run after this event */
#define PARE_ANSWER_SWEEP_AGAIN 2u     /* run the layers over the calibration data once more */
#define PARE_ANSWER_SKIP_UPDATE 4u     /* GRADIENTS: no optimiser step this time */

/* What the driver offers during an event; borrowed for the call. Functions may be NULL: then the driver cannot do it.
 * `parameter` indexes the driver's prunable and trainable parameters. All functions [instance]. Growing. Since 1.0. */
typedef struct pare_session pare_session;
struct pare_session {
    uint32_t struct_size;
    uint32_t parameter_count;
    void *host_data;
    const char *(*parameter_name)(const pare_session *self, uint32_t parameter);
    int32_t (*parameter_role)(const pare_session *self, uint32_t parameter);
    /* Views into the driver's memory, valid until the event returns; writable where the event allows it. */
    int32_t (*parameter_value)(const pare_session *self, uint32_t parameter, pare_tensor *out, pare_error *error);
    int32_t (*parameter_gradient)(const pare_session *self, uint32_t parameter, pare_tensor *out, pare_error *error);
    /* Masks: bool views shaped like the parameter, 1 = keep; `fill` is the value of a dropped element (0 as a rule). */
    int32_t (*get_mask)(const pare_session *self, uint32_t parameter, pare_tensor *out, pare_error *error);
    int32_t (*set_mask)(const pare_session *self, uint32_t parameter, const pare_tensor *mask, double fill, pare_error *error);
    int32_t (*set_value)(const pare_session *self, uint32_t parameter, const pare_tensor *value, pare_error *error);
    /* Groups of channels that go together: member `member` of group `group` is an axis of a parameter. */
    uint32_t (*group_count)(const pare_session *self);
    int32_t (*group_member)(const pare_session *self, uint32_t group, uint32_t member, uint32_t *parameter, int32_t *axis,
                            const int64_t **index_map, int64_t *count, pare_error *error);
    /* Gram matrix of a layer's inputs (PARE_GRAM_…). */
    int32_t (*gram)(const pare_session *self, uint32_t parameter, int32_t which, pare_tensor *out, pare_error *error);
    double (*learning_rate)(const pare_session *self, uint32_t parameter); /* NaN when not known */
    /* A loss of the driver at the current values: PARE_PHASE_…; costs a pass over data. */
    int32_t (*evaluate)(const pare_session *self, int32_t phase, double *loss, double *accuracy, pare_error *error);
    /* Add a number to the run's report and history. */
    void (*report)(const pare_session *self, const char *name, double value);
};

/* Growing; borrowed. Since 1.0. */
typedef struct pare_event {
    uint32_t struct_size;
    int32_t kind;      /* PARE_EVENT_… */
    int32_t phase;     /* PARE_PHASE_… */
    int32_t parameter; /* LAYER_INPUTS: index; otherwise -1 */
    int64_t step, steps;   /* of the epoch; -1 unknown */
    int64_t epoch, epochs; /* -1 unknown */
    uint64_t seed;
    const pare_session *session;
    const pare_run *run; /* may be NULL */
} pare_event;

/* Growing. Since 1.0. */
typedef struct pare_recipe {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* Handle one event; *answer is 0 on entry. [instance] */
    int32_t (*handle)(pare_instance *self, const pare_event *event, uint32_t *answer, pare_error *error);
    /* Optional: events wanted, bit 1 << PARE_EVENT_…; NULL means all. [instance] */
    uint32_t (*events)(pare_instance *self);
    /* Optional: state for resuming a killed run. save: with buffer NULL answers the size. [instance] */
    int32_t (*save_state)(pare_instance *self, void *buffer, uint64_t capacity, uint64_t *size, pare_error *error);
    int32_t (*load_state)(pare_instance *self, const void *buffer, uint64_t size, pare_error *error);
} pare_recipe;

#ifdef __cplusplus
}
#endif
#endif /* PARE_KINDS_RECIPE_H */
