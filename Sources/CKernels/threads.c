/* What loops over threads need and Swift's Glibc module does not show. */
#define _GNU_SOURCE
#include "include/CKernels.h"
#include <sched.h>
#include <unistd.h>

int64_t ck_fetch_add(int64_t *counter, int64_t amount) { return __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED); }
int64_t ck_load(const int64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }
void ck_store(int64_t *counter, int64_t value) { __atomic_store_n(counter, value, __ATOMIC_RELAXED); }

int *ck_parallel_depth(void) {
    static _Thread_local int depth;
    return &depth;
}

int ck_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        const int count = CPU_COUNT(&set);
        if (count > 0) return count;
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}
