/* Scoring one float32 buffer without the border and, built with -DWITH_PARE, across it:  abi_cost ELEMENTS RUNS
 * One JSON line: median CPU seconds of each. As a shared library it is the plain function of the third way. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef WITH_PARE
#include <pare/pare.h>
#else
#include <stdint.h>
#endif

/* Score of each unit: the sum of its magnitudes. */
__attribute__((visibility("default"), noinline))
int32_t magnitudes(const float *weights, int64_t units, int64_t elements, float *scores)
{
    if (elements == 1) {
        for (int64_t unit = 0; unit < units; unit++) scores[unit] = fabsf(weights[unit]);
        return 0;
    }
    for (int64_t unit = 0; unit < units; unit++) {
        float sum = 0;
        for (int64_t i = 0; i < elements; i++) sum += fabsf(weights[unit * elements + i]);
        scores[unit] = sum;
    }
    return 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 1 << 20;
    int runs = argc > 2 ? atoi(argv[2]) : 51;
    float *weights = malloc((size_t)n * sizeof *weights), *scores = malloc((size_t)n * sizeof *scores);
    double *bare = malloc((size_t)runs * sizeof *bare), *across = malloc((size_t)runs * sizeof *across);
    if (n < 1 || runs < 1 || !weights || !scores || !bare || !across) return 2;
    for (int64_t i = 0; i < n; i++) weights[i] = (float)(i % 2001 - 1000), scores[i] = 0;
#ifdef WITH_PARE
    pare_error error = {.struct_size = sizeof error};
    pare_context *context = NULL;
    int64_t one = 1;
    pare_dtype f32 = {PARE_TYPE_FLOAT, 32, 1};
    pare_tensor in = {weights, {1, 0}, 1, f32, &n, &one, 0}, out = {scores, {1, 0}, 1, f32, &n, &one, 0};
    const char *options[] = {"norm", "l1", NULL};
    if (pare_context_create(NULL, &context, &error) != PARE_OK) return fprintf(stderr, "%s\n", error.message), 1;
#endif
    for (int run = -1; run < runs; run++) { /* the first does not count */
        double begin = now();
        magnitudes(weights, n, 1, scores);
        double middle = now();
#ifdef WITH_PARE
        if (pare_score(context, "magnitude", options, &in, NULL, &out, NULL, &error) != PARE_OK)
            return fprintf(stderr, "%s\n", error.message), 1;
#endif
        double end = now();
        if (run >= 0) bare[run] = middle - begin, across[run] = end - middle;
    }
    printf("{\"bare\": %.9f", median(bare, runs));
#ifdef WITH_PARE
    printf(", \"pare_score\": %.9f", median(across, runs));
    pare_context_destroy(context);
#endif
    puts("}");
    free(weights), free(scores), free(bare), free(across);
    return 0;
}
