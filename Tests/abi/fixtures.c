/* fixtures.c — one criterion, broken in one way per build: cc -DCASE_… (build_fixtures.sh builds them all).
 *
 * Each case is named for the check that has to catch it. The host must refuse or report every one of them and live.
 *
 * CASE_GOOD                     nothing is wrong: what every check must let pass
 * CASE_ENTRY_MISSING            exports no pare_plugin_entry
 * CASE_ENTRY_NULL               the entry returns NULL
 * CASE_ENTRY_CRASH              the entry writes to address 8
 * CASE_ENTRY_HANG               the entry never returns
 * CASE_ENTRY_SLOW               the entry takes two seconds: too slow for a scan
 * CASE_ENTRY_UNSTABLE           another pointer at each call
 * CASE_CONSTRUCTOR_CRASH        dies while it is opened
 * CASE_MODULE_MAGIC             wrong magic
 * CASE_MODULE_MAJOR             compiled for major version 2
 * CASE_MODULE_SIZE              struct_size ends before get_factory
 * CASE_MODULE_NULL_ID           no module id
 * CASE_MODULE_NULL_GET_FACTORY  no way to its factories
 * CASE_INIT_FAILS               init reports an error
 * CASE_FACTORY_ANY_KIND         answers with a factory for every kind
 * CASE_FACTORY_NULL_DESCRIPTOR  counts one plugin more than it describes
 * CASE_FACTORY_NULL_CREATE      create is NULL
 * CASE_FACTORY_COUNT            counts four thousand million plugins
 * CASE_DESCRIPTOR_PAST_END      describes a plugin past its count
 * CASE_DESCRIPTOR_NULL_SUMMARY  a NULL string
 * CASE_DESCRIPTOR_KIND          says it is an allocator
 * CASE_DESCRIPTOR_NEEDS         needs something that no host knows (bit 31)
 * CASE_ID_DUPLICATE             two plugins with one id
 * CASE_ID_TAKEN                 calls itself magnitude
 * CASE_ID_SPELLING              an id with a space and a capital
 * CASE_ID_UNKNOWN               makes an instance for any id
 * CASE_INSTANCE_DESCRIPTOR      the instance has another descriptor than its factory
 * CASE_INSTANCE_NULL            create succeeds without an instance
 * CASE_INSTANCE_NULL_TABLE      an instance without a table
 * CASE_INSTANCE_NULL_SCORE      a table without score
 * CASE_SCHEMA_DEFAULT           a default outside its range
 * CASE_SCHEMA_DUPLICATE_KEY     two options with one key
 * CASE_SCHEMA_DUPLICATE_CHOICE  two choices with one name
 * CASE_SCHEMA_TYPE              an option of type 99
 * CASE_SCHEMA_NULL              fewer entries than option_count
 * CASE_OPTION_IGNORED           the scale option changes nothing
 * CASE_OPTION_CRASH             crashes at the upper end of an option's range
 * CASE_PRINT_STDOUT             prints while scoring
 * CASE_SCORE_CRASH              reads address 8
 * CASE_SCORE_ABORT              calls abort
 * CASE_SCORE_EXIT               calls exit(0)
 * CASE_SCORE_THROW              throws a C++ exception across the border
 * CASE_SCORE_HANG               never returns
 * CASE_SCORE_FAILS              returns a status with an unterminated message
 * CASE_SCORE_STATUS             returns a status that does not exist, and no message
 * CASE_SCORE_NAN                one NaN
 * CASE_SCORE_INFINITE           one infinity
 * CASE_SCORE_UNFILLED           leaves the last score as it was
 * CASE_SCORE_OVERRUN            writes one number past the buffer
 * CASE_SCORE_UNDERRUN           writes one number before the buffer
 * CASE_SCORE_WRITES_WEIGHTS     changes the weights
 * CASE_SCORE_CONTIGUOUS         ignores strides
 * CASE_SCORE_FLOAT32            takes every weight for float32
 * CASE_SCORE_EMPTY              refuses an empty tensor
 * CASE_SCORE_RANDOM             another result every time, although DETERMINISTIC
 * CASE_SCORE_HISTORY            remembers earlier calls, although DETERMINISTIC
 * CASE_SCORE_NOT_LOCAL          scores depend on other units, although LOCAL
 * CASE_SCORE_NOT_INVARIANT      order changes with the scale, although SCALE_INVARIANT
 * CASE_SCORE_NOT_THREAD_SAFE    keeps its scratch in a global, although THREAD_SAFE
 * CASE_SCORE_SLOW               a millisecond per unit
 * CASE_SCORE_IGNORES_CANCEL     asks nobody whether to go on, for three seconds
 * CASE_LEAK_SCORE               host memory not released after a score
 * CASE_LEAK_INSTANCE            host memory not released by destroy
 * CASE_EXPORTS_EXTRA            a second exported symbol
 */
#include <math.h>
#include <pare/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct state {
    pare_instance instance;
    const pare_host *host;
    const pare_vector_service *vector;
    const pare_memory_service *memory;
    double scale;
    int calls;
    void *leaked;
} state;

#if CASE_SCORE_THROW
void fixture_throw(void); /* fixture_throw.cpp */
#endif
#if CASE_EXPORTS_EXTRA
PARE_PLUGIN_EXPORT int fixture_helper(void) { return 1; }
#endif
#if CASE_CONSTRUCTOR_CRASH
__attribute__((constructor)) static void construct(void) { *(volatile int *)8 = 1; }
#endif
#if CASE_SCORE_NOT_THREAD_SAFE
static volatile float shared_scratch;
#endif

static int32_t score(pare_instance *self, const pare_score_request *request, pare_tensor *scores, pare_error *error)
{
    state *me = self->state;
    int64_t units = scores->shape[0];
    float *out = (float *)((char *)scores->data + scores->byte_offset);
    me->calls++;
#if CASE_PRINT_STDOUT
    printf("scoring %s\n", request->parameter), fflush(stdout);
#elif CASE_SCORE_CRASH
    out[0] = *(volatile float *)8;
#elif CASE_SCORE_ABORT
    abort();
#elif CASE_SCORE_EXIT
    exit(0);
#elif CASE_SCORE_THROW
    fixture_throw();
#elif CASE_SCORE_HANG
    for (;;) pause();
#elif CASE_SCORE_FAILS
    if (error != NULL) memset(error->message, 'x', sizeof error->message);
    return PARE_E_ARGUMENT;
#elif CASE_SCORE_STATUS
    return -12345;
#elif CASE_SCORE_EMPTY
    if (units == 0) return PARE_E_ARGUMENT;
#elif CASE_SCORE_IGNORES_CANCEL
    sleep(3);
#elif CASE_LEAK_SCORE
    if (me->memory->allocate(me->host, 64) == NULL) return PARE_E_MEMORY;
#endif
    if (units == 0) return PARE_OK;
    int32_t status = me->vector->reduce_f32(me->host, request->weight, request->unit_ndim, PARE_REDUCE_L1, out, error);
    if (status != PARE_OK) return status;
    for (int64_t i = 0; i < units; i++) {
#if !CASE_OPTION_IGNORED
        out[i] = (float)pow(out[i], me->scale);
#endif
#if CASE_SCORE_NOT_INVARIANT
        out[i] = sinf(out[i]);
#elif CASE_SCORE_HISTORY
        out[i] += (float)me->calls;
#elif CASE_SCORE_NOT_LOCAL
        out[i] += i > 0 ? out[i - 1] : 0;
#elif CASE_SCORE_SLOW
        usleep(1000);
#elif CASE_SCORE_NOT_THREAD_SAFE
        shared_scratch = out[i];
        for (volatile int spin = 0; spin < 500; spin++) {}
        out[i] = shared_scratch;
#endif
    }
#if CASE_SCORE_RANDOM
    static int seed;
    out[0] += (float)(getpid() % 97 + seed++);
#elif CASE_SCORE_NAN
    out[units / 2] = NAN;
#elif CASE_SCORE_INFINITE
    out[units / 2] = INFINITY;
#elif CASE_SCORE_UNFILLED
    out[units - 1] = NAN; /* what the host had filled in */
#elif CASE_SCORE_OVERRUN
    out[units] = 0;
#elif CASE_SCORE_UNDERRUN
    out[-1] = 0;
#elif CASE_SCORE_WRITES_WEIGHTS
    ((char *)request->weight->data + request->weight->byte_offset)[0] ^= 1;
#elif CASE_SCORE_CONTIGUOUS || CASE_SCORE_FLOAT32
    int bytes = request->weight->dtype.bits / 8;
#if CASE_SCORE_CONTIGUOUS
    if (bytes != 4) return PARE_OK;
#endif
    for (int64_t i = 0; i < units && request->unit_ndim == request->weight->ndim; i++) {
        float x = 0;
        memcpy(&x, (const char *)request->weight->data + request->weight->byte_offset + i * bytes, bytes < 4 ? 2 : 4);
        out[i] = isfinite(x) ? fabsf(x) : 0;
    }
#endif
    return PARE_OK;
}

#if CASE_INSTANCE_NULL_SCORE
static const pare_criterion criterion = {.struct_size = sizeof criterion};
#else
static const pare_criterion criterion = {.struct_size = sizeof criterion, .score = score};
#endif

/* ---- schema: scale (float), mode (choice) ---- */

#if CASE_SCHEMA_DUPLICATE_CHOICE
static const char *const modes[] = {"plain", "plain", NULL};
#else
static const char *const modes[] = {"plain", "fancy", NULL};
#endif

static const pare_option_info scale_option = {
    .struct_size = sizeof scale_option,
#if CASE_SCHEMA_TYPE
    .type = 99,
#else
    .type = PARE_OPTION_FLOAT,
#endif
    .key = "scale",
    .help = "exponent of the score",
    .unit = "",
#if CASE_SCHEMA_DEFAULT
    .default_text = "9",
#else
    .default_text = "1",
#endif
    .minimum = 0.5,
    .maximum = 4,
};
static const pare_option_info mode_option = {
    .struct_size = sizeof mode_option,
    .type = PARE_OPTION_CHOICE,
    .flags = PARE_OPTION_ADVANCED,
#if CASE_SCHEMA_DUPLICATE_KEY
    .key = "scale",
#else
    .key = "mode",
#endif
    .help = "no difference, there to be read",
    .unit = "",
    .default_text = "plain",
    .choices = modes,
};

static const pare_option_info *option(const pare_descriptor *self, uint32_t index)
{
    (void)self;
#if !CASE_SCHEMA_NULL
    if (index == 1) return &mode_option;
#endif
    return index == 0 ? &scale_option : NULL;
}

static const pare_descriptor descriptor = {
    .struct_size = sizeof descriptor,
    .flags = PARE_FLAG_DETERMINISTIC | PARE_FLAG_LOCAL | PARE_FLAG_SCALE_INVARIANT | PARE_FLAG_THREAD_SAFE,
#if CASE_DESCRIPTOR_NEEDS
    .needs = PARE_NEED_WEIGHT | 1u << 31,
#else
    .needs = PARE_NEED_WEIGHT,
#endif
#if CASE_DESCRIPTOR_KIND
    .kind = PARE_KIND_ALLOCATOR,
#else
    .kind = PARE_KIND_CRITERION,
#endif
#if CASE_ID_TAKEN
    .id = "magnitude",
#elif CASE_ID_SPELLING
    .id = "My Criterion",
#else
    .id = "org.example.fixture",
#endif
    .version = "1.0.0",
#if !CASE_DESCRIPTOR_NULL_SUMMARY
    .summary = "sum of absolute values, for tests",
#endif
    .source = "",
    .license = "Apache-2.0",
    .option_count = 2,
    .option = option,
};
#if CASE_INSTANCE_DESCRIPTOR
static const pare_descriptor other_descriptor = {
    .struct_size = sizeof other_descriptor, .kind = PARE_KIND_CRITERION, .id = "org.example.other", .summary = ""};
#endif

static const pare_descriptor *describe(const pare_factory *self, uint32_t index)
{
    (void)self;
#if CASE_ID_DUPLICATE || CASE_DESCRIPTOR_PAST_END
    if (index <= 1) return &descriptor;
#endif
    return index == 0 ? &descriptor : NULL;
}

static void destroy(pare_instance *self)
{
    state *me = self->state;
    if (me->leaked == NULL) free(me);
}

static int32_t create(const pare_factory *self, const pare_host *host, const char *id, const pare_value *values,
                      uint32_t value_count, pare_instance **out, pare_error *error)
{
    (void)self, (void)error;
#if !CASE_ID_UNKNOWN
    if (strcmp(id, descriptor.id) != 0) return PARE_E_NOT_FOUND;
#endif
    state *me = calloc(1, sizeof *me);
    if (me == NULL) return PARE_E_MEMORY;
    *me = (state){.host = host, .scale = value_count > 0 ? values[0].number : 1};
    me->instance = (pare_instance){sizeof me->instance, 0, &descriptor, &criterion, me, destroy, NULL};
    me->vector = host->get_service(host, PARE_SERVICE_VECTOR);
    me->memory = host->get_service(host, PARE_SERVICE_MEMORY);
    if (!me->vector || !me->memory) return free(me), PARE_E_UNSUPPORTED;
#if CASE_OPTION_CRASH
    if (me->scale == scale_option.maximum) *(volatile int *)8 = 1;
#elif CASE_LEAK_INSTANCE
    me->leaked = me->memory->allocate(host, 4096);
#elif CASE_INSTANCE_DESCRIPTOR
    me->instance.descriptor = &other_descriptor;
#elif CASE_INSTANCE_NULL
    return free(me), PARE_OK;
#elif CASE_INSTANCE_NULL_TABLE
    me->instance.table = NULL;
#endif
    (void)id;
    *out = &me->instance;
    return PARE_OK;
}

static const pare_factory factory = {
    .struct_size = sizeof factory,
#if CASE_FACTORY_NULL_DESCRIPTOR || CASE_ID_DUPLICATE
    .count = 2,
#elif CASE_FACTORY_COUNT
    .count = UINT32_MAX,
#else
    .count = 1,
#endif
    .kind = PARE_KIND_CRITERION,
    .descriptor = describe,
#if !CASE_FACTORY_NULL_CREATE
    .create = create,
#endif
};

static const pare_factory *get_factory(const pare_module *self, const char *kind)
{
    (void)self;
#if CASE_FACTORY_ANY_KIND
    return (void)kind, &factory;
#else
    return strcmp(kind, PARE_KIND_CRITERION) == 0 ? &factory : NULL;
#endif
}

#if CASE_INIT_FAILS
static int32_t init(const pare_module *self, const pare_host *host, pare_error *error)
{
    (void)self;
    (void)host;
    if (error != NULL) error->code = PARE_E_UNSUPPORTED, strcpy(error->message, "the fixture does not want to");
    return PARE_E_UNSUPPORTED;
}
#endif

static pare_module module = {
#if CASE_MODULE_MAGIC
    .magic = 0x4241444D41474943u,
#else
    .magic = PARE_MODULE_MAGIC,
#endif
#if CASE_MODULE_SIZE
    .struct_size = offsetof(pare_module, get_factory),
#else
    .struct_size = sizeof module,
#endif
#if CASE_MODULE_MAJOR
    .abi_major = PARE_ABI_MAJOR + 1,
#else
    .abi_major = PARE_ABI_MAJOR,
#endif
    .abi_minor = PARE_ABI_MINOR,
#if !CASE_MODULE_NULL_ID
    .id = "org.example.fixtures",
#endif
    .version = "1.0.0",
    .license = "Apache-2.0",
#if CASE_INIT_FAILS
    .init = init,
#endif
#if !CASE_MODULE_NULL_GET_FACTORY
    .get_factory = get_factory,
#endif
};

#if CASE_ENTRY_MISSING
#define pare_plugin_entry some_other_name
#endif
PARE_PLUGIN_EXPORT const pare_module *pare_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major, (void)host_minor;
#if CASE_ENTRY_NULL
    return NULL;
#elif CASE_ENTRY_CRASH
    *(volatile int *)8 = 1;
#elif CASE_ENTRY_HANG
    for (;;) pause();
#elif CASE_ENTRY_SLOW
    sleep(2);
#elif CASE_ENTRY_UNSTABLE
    static pare_module copies[8];
    static int turn;
    copies[turn = (turn + 1) % 8] = module;
    return &copies[turn];
#endif
    return &module;
}
