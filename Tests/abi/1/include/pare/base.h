/* pare/base.h — versions, visibility, status codes, errors, progress.
 *
 * Conventions of every Pare header
 * --------------------------------
 * Language   C11, fixed-width integers only; no bool, enum, bit-field, long or variadic function in a signature.
 * Strings    NUL-terminated UTF-8. "static" strings live as long as the process; every other string is copied by
 *            the receiver before the call returns, unless its declaration says otherwise.
 * Structs    A struct with a member `struct_size` (the first; in pare_module the second) may grow at its end in later minor versions. The filler
 *            sets `struct_size` to its own sizeof; the reader uses PARE_HAS before it touches a member added after
 *            version 1.0. Structs without `struct_size` are frozen for the whole of major version 1.
 * Arrays     No array of growing structs ever crosses the border (its stride would differ between versions).
 * Handles    Pointers to incomplete structs. Destroying NULL does nothing.
 * Status     Functions that can fail return a status, 0 = PARE_OK. Their last argument is an error record that the
 *            caller owns; it may be NULL. After a failure handles and files are as before; buffers to be filled may hold anything.
 * Threads    [any]       any thread, at any time, also concurrently
 *            [instance]  any thread, but one call at a time per handle or instance; different ones run in parallel
 *            [load]      while a plugin is being loaded or a context is being set up, one call at a time
 * Ownership  Who allocates frees. A pointer argument is borrowed for the call unless "until" says how much longer.
 * Since      The version in which a declaration appeared. Nothing is ever removed or re-ordered within a major version.
 */
#ifndef PARE_BASE_H
#define PARE_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface (not of the product). Same major: compatible in both directions of age. Since 1.0. */
#define PARE_ABI_MAJOR 1
#define PARE_ABI_MINOR 0

#if defined(_WIN32)
#define PARE_API __declspec(dllimport)
#define PARE_PLUGIN_EXPORT __declspec(dllexport)
#else
#define PARE_API __attribute__((visibility("default")))
#define PARE_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* True when the growing struct that `ptr` points to was filled by someone who knew `member`. Since 1.0. */
#define PARE_HAS(ptr, member) \
    ((ptr) != NULL && (size_t)(ptr)->struct_size >= \
     (size_t)((const char *)&(ptr)->member - (const char *)(ptr)) + sizeof((ptr)->member))

/* Status codes. Stable numbers in ranges; treat an unknown code by its range. Since 1.0. */
#define PARE_OK 0
/* 100–199: the request is wrong */
#define PARE_E_ARGUMENT 101    /* NULL, negative, out of range, wrong struct_size */
#define PARE_E_OPTION 102      /* unknown option, wrong type, out of its range */
#define PARE_E_NOT_FOUND 103   /* no plugin, parameter, file or node of that name */
#define PARE_E_UNSUPPORTED 104 /* valid, but not offered by this plugin, format or host */
#define PARE_E_STATE 105       /* right call, wrong moment */
#define PARE_E_NOTHING_TO_DO 106 /* the request would change nothing and strictness was asked for */
/* 200–299: the data is wrong */
#define PARE_E_FORMAT 201      /* file is malformed, truncated or inconsistent */
#define PARE_E_SHAPE 202       /* shapes do not fit */
#define PARE_E_DTYPE 203       /* element type unknown or not usable here */
#define PARE_E_NONFINITE 204   /* NaN or infinity where a finite number is needed */
#define PARE_E_MISSING 205     /* a file names another one (shard, external data) that is not there */
/* 300–399: a resource is missing */
#define PARE_E_MEMORY 301
#define PARE_E_IO 302          /* read, write, permission, disk full */
/* 400–499: the caller stopped it */
#define PARE_E_CANCELLED 401
/* 500–599: a plugin is at fault */
#define PARE_E_PLUGIN_LOAD 501      /* not a loadable library, or no entry */
#define PARE_E_PLUGIN_VERSION 502   /* other major, or needs a newer host */
#define PARE_E_PLUGIN_DUPLICATE 503 /* id already registered */
#define PARE_E_PLUGIN_FAULT 504     /* broke its contract: NULL table, NaN score, wrong count, failed call */
/* 900–999: Pare is at fault */
#define PARE_E_INTERNAL 901

/* Error record. The caller allocates it, sets struct_size and passes it last; the callee fills it on failure and leaves
 * it untouched on success. Every text is NUL-terminated and cut to fit, never inside a UTF-8 sequence.
 * Thread rule: the record belongs to the calling thread. Growing. Since 1.0. */
typedef struct pare_error {
    uint32_t struct_size;
    int32_t code;       /* the status that was returned */
    char message[512];  /* one sentence with everything below in it, ready to show */
    char where[256];    /* file, tensor, node, option or plugin, with byte offset where known; may be empty */
    char found[192];    /* what was there; may be empty */
    char expected[192]; /* what should have been there; may be empty */
    char hint[256];     /* what to try next; may be empty */
} pare_error;

/* Progress and cancellation of a long call. Pass NULL for neither. A plugin reports the fraction of its own call; the host maps it
 * into the whole and lets one report through at a time.
 * Callbacks are [instance]: they may arrive on any thread, never two at a time. They must not call back into the same handle.
 * Latency: polled at least once per tensor and once per 64 MiB of data. Growing. Since 1.0. */
typedef struct pare_run {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    void *user;        /* handed back unchanged */
    /* fraction in [0,1], never decreasing within one call; `text` names the stage and the item, borrowed. May be NULL. */
    void (*progress)(void *user, double fraction, const char *text);
    /* Return 0 to cancel, anything else to go on. A cancelled call returns PARE_E_CANCELLED and leaves all outputs as
     * they were. (Going on is the non-zero answer: a foreign callback that dies tends to return 0.) May be NULL. */
    int32_t (*keep_going)(void *user);
} pare_run;

#ifdef __cplusplus
}
#endif
#endif /* PARE_BASE_H */
