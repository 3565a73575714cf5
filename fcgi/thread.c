#include "thread.h"

/* Sanitizers put red zones around every local. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE (1024 * 1024)
#else
#define STACK_SIZE (256 * 1024)
#endif

int
bh_thread_start(pthread_t *out, void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);

    if (rc != 0) return -rc;
    rc = pthread_attr_setstacksize(&attr, STACK_SIZE);
    if (rc == 0) rc = pthread_create(out, &attr, fn, arg);
    pthread_attr_destroy(&attr);
    return -rc;
}
