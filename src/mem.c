#include "mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t used;
static atomic_ulong fail_in; /* allocations until the one that fails; 0: off */

/* Count this allocation; true if it is the one that a test wants to fail. */
static bool
told_to_fail(void)
{
    unsigned long n = atomic_load_explicit(&fail_in, memory_order_relaxed);

    while (n != 0)
        if (atomic_compare_exchange_weak_explicit(&fail_in, &n, n - 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
            return n == 1;
    return false;
}

/* Only the sum matters, not its order among other stores. */
static void *
counted(void *p)
{
    if (p != NULL)
        atomic_fetch_add_explicit(&used, malloc_usable_size(p),
                                  memory_order_relaxed);
    return p;
}

static void
uncount(size_t size)
{
    atomic_fetch_sub_explicit(&used, size, memory_order_relaxed);
}

void *
bh_alloc(size_t size)
{
    return told_to_fail() ? NULL : counted(malloc(size > 0 ? size : 1));
}

void *
bh_zalloc(size_t size)
{
    return told_to_fail() ? NULL : counted(calloc(1, size > 0 ? size : 1));
}

void *
bh_realloc(void *p, size_t size)
{
    if (told_to_fail()) return NULL;

    size_t before = malloc_usable_size(p);
    /* realloc(p, 0) may free P and return NULL, which reads as a failure. */
    void *q = realloc(p, size > 0 ? size : 1);
    if (q != NULL) uncount(before);
    return counted(q);
}

char *
bh_strndup(const char *s, size_t len)
{
    if (len == SIZE_MAX) return NULL;
    char *copy = bh_alloc(len + 1);
    if (copy == NULL) return NULL;
    if (len > 0) memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void
bh_free(void *p)
{
    uncount(malloc_usable_size(p));
    free(p);
}

size_t
bh_mem_used(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed);
}

bool
bh_mem_fail_at(unsigned long n)
{
    return atomic_exchange_explicit(&fail_in, n, memory_order_relaxed) != 0;
}

void
bh_wipe(void *p, size_t len)
{
    if (len > 0) explicit_bzero(p, len);
}
