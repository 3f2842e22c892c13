#define _GNU_SOURCE
#include "include/CShim.h"
#include <dlfcn.h>
#include <link.h>
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *cshim_image_path(const void *address) {
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP)) return NULL;
    /* The program itself goes by argv[0], which is no path when it was found through PATH. */
    return map && map->l_name[0] == '\0' ? "/proc/self/exe" : info.dli_fname;
}

int cshim_errno(void) { return errno; }

const char *cshim_error_text(int code) { return strerror(code); }

int cshim_open_direct(const char *path, int flags, int mode) {
#ifdef O_DIRECT
    return open(path, flags | O_DIRECT | O_CLOEXEC, mode);
#else
    (void)path, (void)flags, (void)mode;
    errno = EINVAL;
    return -1;
#endif
}

int cshim_clear_direct(int descriptor) {
#ifdef O_DIRECT
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags & ~O_DIRECT);
#else
    (void)descriptor;
    return 0;
#endif
}

size_t cshim_heap_in_use(void) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

int cshim_is_privileged(void) { return getauxval(AT_SECURE) != 0; }

void *cshim_shared(size_t size) {
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

void cshim_unshare(void *block, size_t size) {
    if (block != NULL) munmap(block, size);
}

/* In the child: quiet, no core file, every signal deadly again. */
static void isolate(void) {
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    int null = open("/dev/null", O_RDWR);
    for (int stream = 0; null >= 0 && stream < 3; stream++) dup2(null, stream);
}

static long elapsed_ms(const struct timespec *since) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

int cshim_trial(int (*body)(void *user), void *user, unsigned limit_ms, int *detail) {
    /* Exit codes cannot tell "returned" from "called exit": the child says so here. */
    volatile int *answer = cshim_shared(2 * sizeof(int));
    if (answer == NULL) {
        *detail = errno;
        return CSHIM_TRIAL_NOT_STARTED;
    }
    pid_t child = fork();
    if (child == 0) {
        isolate();
        answer[1] = body(user) & 255;
        answer[0] = 1;
        _exit(0);
    }
    int outcome = CSHIM_TRIAL_NOT_STARTED;
    *detail = errno;
    if (child > 0) {
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        int state = 0;
        pid_t done;
        while ((done = waitpid(child, &state, WNOHANG)) == 0 && elapsed_ms(&start) < (long)limit_ms) {
            struct timespec nap = {0, 500000};
            nanosleep(&nap, NULL);
        }
        if (done == 0) {
            kill(child, SIGKILL);
            waitpid(child, &state, 0);
            outcome = CSHIM_TRIAL_TIMED_OUT;
            *detail = 0;
        } else if (done > 0 && WIFSIGNALED(state)) {
            outcome = CSHIM_TRIAL_SIGNALLED;
            *detail = WTERMSIG(state);
        } else if (done > 0) {
            outcome = answer[0] ? CSHIM_TRIAL_RETURNED : CSHIM_TRIAL_EXITED;
            *detail = answer[0] ? answer[1] : WEXITSTATUS(state);
        }
    }
    cshim_unshare((void *)answer, 2 * sizeof(int));
    return outcome;
}
