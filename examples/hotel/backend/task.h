/* task.h: a task as a client sends it: the only place that judges one. */
#ifndef HOTEL_TASK_H
#define HOTEL_TASK_H

#include "hotel.h"

#include "buf.h"
#include "db.h"

/*
 * Read a checked JSON object. NULL; or what is wrong with it, and POINTER
 * leads to the member: unknown, of a wrong type, too long, with control
 * characters. Its `id` is only taken where NEW is true.
 */
const char *hotel_task_read(struct hotel_task *t, const struct bh_buf *json,
                            bool new, char pointer[BH_POINTER_MAX]);

#endif
