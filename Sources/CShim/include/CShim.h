/* What Swift's Glibc module does not show. */
#ifndef CSHIM_H
#define CSHIM_H
#include <stddef.h>
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

/* Bytes that malloc has handed out and not got back, 0 where the C library does not say. */
size_t cshim_heap_in_use(void);

/* How a trial ended. */
#define CSHIM_TRIAL_RETURNED 0 /* body returned; *detail is what it returned */
#define CSHIM_TRIAL_EXITED 1   /* it ended the process itself; *detail is the exit code */
#define CSHIM_TRIAL_SIGNALLED 2 /* *detail is the signal */
#define CSHIM_TRIAL_TIMED_OUT 3
#define CSHIM_TRIAL_NOT_STARTED 4 /* fork failed; *detail is errno */

/* Runs body(user) in a forked child with closed standard streams, default signal actions and a time limit, and says how that
 * ended. The parent sees only what the child writes to shared memory (cshim_shared). Answers of body are cut to 0 … 255. */
int cshim_trial(int (*body)(void *user), void *user, unsigned limit_ms, int *detail);

/* Memory shared with children; NULL when there is none. */
void *cshim_shared(size_t size);
void cshim_unshare(void *block, size_t size);
#endif
