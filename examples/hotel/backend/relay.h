/* relay.h: the thread that brings the outbox to Bellhop. */
#ifndef HOTEL_RELAY_H
#define HOTEL_RELAY_H

#include "hotel.h"

/* NULL and a line in the log where it can't be started. */
struct hotel_relay *hotel_relay_start(struct hotel *h);
void hotel_relay_stop(struct hotel_relay *r); /* NULL is fine */

/* Something was committed to the outbox. Any thread. */
void hotel_relay_wake(struct hotel_relay *r);

#endif
