/* route.h: from a path to its handler, and everything that is checked alike for
 * all of them on the way: method, domain, token, query. */
#ifndef BH_ROUTE_H
#define BH_ROUTE_H

#include "call.h"

struct bh_route;

/* The route of a request by its path alone; NULL where there is none. */
const struct bh_route *bh_route_find(const struct bh_request *rq);
/* The methods it knows as they stand in Allow. */
const char *bh_route_methods(const struct bh_route *route);

/* What a line about it in the log begins with; NULL: with nothing of its own.
 */
#define BH_LINE_PUBLISH   "RealtimePublish"
#define BH_LINE_SUBSCRIBE "RealtimeSubscribe"
const char *bh_route_line(const struct bh_route *route);

/* Answer a call: run its handler, or refuse it; or leave it with call->job. */
void bh_route_run(struct bh_call *call);
/* What follows an answer: a refusal is counted, and put on record. Once, after
 * the answer to call->job. */
void bh_route_end(struct bh_call *call);

#endif
