/* filter.h: which properties' events a reader gets. */
#ifndef BH_FILTER_H
#define BH_FILTER_H

#include "auth.h"
#include "base.h"
#include "buf.h"
#include "request.h"

/* Events of these properties, and events without one; ALL: every event. */
struct bh_filter {
    bool all;
    size_t n;
    struct bh_str properties[BH_PROPERTIES_MAX]; /* sorted; the owners' bytes */
};

/* The one that was asked for, else those that the token permits. False where
 * the token doesn't permit the one. */
bool bh_filter_make(struct bh_filter *f, const struct bh_request *rq,
                    const struct bh_claims *claims);

#endif
