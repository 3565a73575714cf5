/* serve.h: the threads that accept FastCGI connections, one request each. */
#ifndef BH_SERVE_H
#define BH_SERVE_H

#include "base.h"

#include "worker.h"

struct bh_serve;
/* N threads. NULL and a line in the log where not one can be started. */
struct bh_serve *bh_serve_start(struct bh_worker *w, int n);
/* Accept no more, finish what has begun. False, and nothing freed, where a
 * thread is still busy after some seconds. */
bool bh_serve_stop(struct bh_serve *s);

#endif
