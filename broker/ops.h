/* ops.h: one function for each message that a worker may send. */
#ifndef BH_OPS_H
#define BH_OPS_H

#include "conn.h"

/* Serve one message. *FD is a descriptor that came with it, or -1; set to -1
 * where it was taken over. False: the connection is to be closed. */
bool bh_ops_serve(struct bh_conn *c, const void *p, size_t len, int *fd);

#endif
