/*
 * pass.h: FastCGI connections that somebody else accepted and passes on.
 * mod_fcgid keeps a process for each request under way; bellhop-relay is that
 * process, small, and gives the connection to a worker at once. Its own
 * connection to the worker has a name, as no web server's has, so nothing need
 * be read to tell them apart.
 */
#ifndef BH_PASS_H
#define BH_PASS_H

#include "base.h"

/* What comes first, where a record of FastCGI has its version, 1. */
#define BH_PASS_BYTE 0

/*
 * The relay's side: give CONNECTION, still the caller's, to the worker at PATH.
 * 0, or a negative errno where no worker is there to take it.
 */
int bh_pass_on(int connection, const char *path);

/*
 * The worker's side: the connection to serve where FD was accepted from a peer
 * with a name. That is FD itself, or what came over it; FD is then closed. -1,
 * and all closed, where nothing comes within FD's timeout, or something else is
 * passed.
 */
int bh_pass_take(int fd);

#endif
