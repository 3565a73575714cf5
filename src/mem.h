/*
 * mem.h: allocation that may say no. A NULL is an answer like any other: the
 * caller refuses the request at hand and goes on. Every allocation of Bellhop's
 * own goes through here, so that tests can make the n-th one fail and so that
 * the programs can tell what they hold.
 */
#ifndef BH_MEM_H
#define BH_MEM_H

#include "base.h"

/* SIZE bytes, uninitialised / zeroed / resized; NULL when there are none left.
 * bh_realloc leaves the old block as it was when it fails. */
void *bh_alloc(size_t size) BH_MUST_USE;
void *bh_zalloc(size_t size) BH_MUST_USE;
void *bh_realloc(void *p, size_t size) BH_MUST_USE;
/* A terminated copy of LEN bytes. */
char *bh_strndup(const char *s, size_t len) BH_MUST_USE;
/* P may be NULL. */
void bh_free(void *p);

/* Bytes now held, as malloc rounds them. */
size_t bh_mem_used(void);

/* For tests: the N-th allocation from now fails (1 is the next), once; 0 turns
 * it off. Returns whether an earlier order is still waiting. */
bool bh_mem_fail_at(unsigned long n);

/* Overwrite, and not optimised away. */
void bh_wipe(void *p, size_t len);

#endif
