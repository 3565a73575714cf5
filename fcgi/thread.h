/* thread.h: threads as the worker uses them: small stacks. */
#ifndef BH_THREAD_H
#define BH_THREAD_H

#include "base.h"

#include <pthread.h>

/* 0 or a negative errno. The thread inherits the caller's signal mask. */
int bh_thread_start(pthread_t *out, void *(*fn)(void *), void *arg);

#endif
