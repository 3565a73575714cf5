/* process.h: what this process uses, from /proc. */
#ifndef BH_PROCESS_H
#define BH_PROCESS_H

#include "base.h"

struct bh_process {
    int64_t uptime_s;    /* since the first call */
    int64_t memory;      /* resident, bytes; -1: unknown */
    int64_t descriptors; /* open; -1: unknown */
};

/* Any thread. Call it once at the start. */
struct bh_process bh_process_now(void);

#endif
