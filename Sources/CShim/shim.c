#define _GNU_SOURCE
#include "include/CShim.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

const char *cshim_image_path(const void *address) {
    Dl_info info;
    return dladdr(address, &info) ? info.dli_fname : NULL;
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

int cshim_is_privileged(void) { return getauxval(AT_SECURE) != 0; }
