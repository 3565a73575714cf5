/* base.h: included first by every source. Feature macros come from config.h. */
#ifndef BH_BASE_H
#define BH_BASE_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bounds.h"

#define BH_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define BH_MUST_USE     __attribute__((warn_unused_result))
#define BH_UNUSED       __attribute__((unused))

/* The struct that holds MEMBER at address P. */
#define bh_container_of(p, type, member)                                       \
    ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define bh_countof(a) (sizeof(a) / sizeof((a)[0]))

/*
 * A run of bytes that somebody else owns. Not terminated; `p` may be NULL only
 * where `len` is 0.
 */
struct bh_str {
    const char *p;
    size_t len;
};

#endif
