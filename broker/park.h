/* park.h: a subscribe arrives: answer it at once, or let it wait. */
#ifndef BH_PARK_H
#define BH_PARK_H

#include "proto.h"
#include "waiter.h"

/* Takes FD, the FastCGI connection, over. */
void bh_park(struct bh_broker *b, const struct bh_park *p, int fd);

/* Waiters whose deadline has passed: answer them. */
void bh_park_expire(struct bh_broker *b);

#endif
