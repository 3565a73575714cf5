/* tell.h: the one line that each request leaves in the log. */
#ifndef BH_TELL_H
#define BH_TELL_H

#include "call.h"

/*
 * A publish and a refused subscribe have lines of their own,
 *   [RealtimePublish][completed] orgId=… userId=… events=… durationMs=… …
 *   [RealtimePublish][failure] … code=… id=…
 * everything else the general one. At info, since a refusal that comes with
 * every request must not fill a log; at error where it is our fault. A request
 * that was handed over is the broker's to tell of.
 */
void bh_tell(const struct bh_call *call, int64_t began_us);

#endif
