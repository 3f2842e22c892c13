/* pare/options.h — typed options of a plugin.
 *
 * A plugin declares a schema; the host parses text, fills defaults, checks types and ranges, refuses unknown keys (naming
 * the nearest known one) and only then creates an instance. The plugin reads checked values by schema index. The command's
 * help, Python's signatures and the JSON listing are generated from the same schema.
 */
#ifndef PARE_OPTIONS_H
#define PARE_OPTIONS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Option types. Since 1.0. */
#define PARE_OPTION_BOOL 1       /* text: true/false, yes/no, on/off, 1/0 */
#define PARE_OPTION_INT 2
#define PARE_OPTION_FLOAT 3
#define PARE_OPTION_STRING 4
#define PARE_OPTION_CHOICE 5     /* one of `choices` */
#define PARE_OPTION_INT_LIST 6   /* text: 1,2,3 */
#define PARE_OPTION_FLOAT_LIST 7 /* text: 0.1,0.2 */

/* Option flags. Since 1.0. */
#define PARE_OPTION_REQUIRED 1u       /* has no default */
#define PARE_OPTION_ADVANCED 2u       /* left out of short help */
#define PARE_OPTION_DEPRECATED 4u
#define PARE_OPTION_MIN_EXCLUSIVE 8u  /* minimum itself is not allowed */
#define PARE_OPTION_MAX_EXCLUSIVE 16u

/* One entry of a schema. Static: filled by the plugin, never freed. Growing. Since 1.0. */
typedef struct pare_option_info {
    uint32_t struct_size;
    int32_t type;
    uint32_t flags;
    uint32_t reserved;          /* 0 */
    const char *key;            /* [a-z][a-z0-9-]*, unique in the schema; `seed` is an INT by convention */
    const char *help;           /* one line */
    const char *unit;           /* "", or e.g. "epochs", "bytes" */
    const char *default_text;   /* in the type's text form; NULL when required */
    double minimum, maximum;    /* for INT, FLOAT and list items; -INFINITY/INFINITY for none (0, 0 is a range) */
    const char *const *choices; /* NULL-terminated; NULL unless CHOICE */
} pare_option_info;

/* A checked value. The members that belong to `type` are set, the others are zero. Frozen. Since 1.0.
 * Lifetime: until the create call that received it returns. */
typedef struct pare_value {
    const char *key;
    int32_t type;
    int32_t count;         /* items of a list, else 1 */
    int64_t integer;       /* BOOL (0/1), INT, CHOICE (index into choices) */
    double number;         /* FLOAT, and INT as a double */
    const char *text;      /* STRING, CHOICE */
    const int64_t *integers;
    const double *numbers;
} pare_value;

#ifdef __cplusplus
}
#endif
#endif /* PARE_OPTIONS_H */
