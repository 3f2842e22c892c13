/* What Swift's Glibc module does not show. */
#ifndef CSHIM_H
#define CSHIM_H
#include <stdint.h>

/* Path of the image that holds `address`, or NULL. */
const char *cshim_image_path(const void *address);

/* errno of the calling thread, and its text (static or thread-local). */
int cshim_errno(void);
const char *cshim_error_text(int code);

/* open(2) with O_DIRECT where the system and the file system have it; -1 otherwise. */
int cshim_open_direct(const char *path, int flags, int mode);

/* Go on without O_DIRECT on an open descriptor; 0 or -1. */
int cshim_clear_direct(int descriptor);

/* 1 if the process runs with raised privileges (AT_SECURE). */
int cshim_is_privileged(void);
#endif
