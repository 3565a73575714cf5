/* notify.h: tell the broker of rows that are committed, as a worker does. */
#ifndef BH_CTL_NOTIFY_H
#define BH_CTL_NOTIFY_H

#include "base.h"

/* A connection to the broker at PATH, or a negative errno; it has TIMEOUT_MS
 * for each of its answers. */
int bh_notify_open(const char *path, int timeout_ms);
/* Rows FIRST…LAST (at most BH_GROUP_MAX) are committed. WOKEN has room for
 * each: how many waiters it answered. False: nobody knows, and FD is of no more
 * use. */
bool bh_notify_rows(int fd, int64_t first, int64_t last, uint32_t *woken);

#endif
