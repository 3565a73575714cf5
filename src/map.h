/*
 * map.h: an intrusive hash table that grows by one bucket at a time (linear
 * hashing, W. Litwin, 1980), so that no insertion ever stops the loop to move
 * a million entries. The hash is SipHash-2-4 (J.-P. Aumasson, D. Bernstein,
 * 2012) under a random key of the process: names come from outside.
 */
#ifndef BH_MAP_H
#define BH_MAP_H

#include "base.h"

struct bh_node {
    struct bh_node *next;
    uint64_t hash;
};

struct bh_map {
    struct bh_node **v;
    size_t buckets; /* in use */
    size_t cap;     /* allocated, a power of two */
    size_t count;
};

/* 0, or -ENOMEM. */
int bh_map_init(struct bh_map *m);
void bh_map_fini(struct bh_map *m); /* the entries are the caller's */
/* Never fails: where the table can't grow, chains do. */
void bh_map_add(struct bh_map *m, struct bh_node *n, uint64_t hash);
void bh_map_del(struct bh_map *m, struct bh_node *n);
/* The first entry with this hash, or NULL; then the next with the same. The
 * caller compares the keys. */
struct bh_node *bh_map_find(const struct bh_map *m, uint64_t hash);
struct bh_node *bh_map_next(const struct bh_node *n);

/* Under the process's key. bh_hash_more continues one hash with more bytes and
 * a boundary between, so that ("ab","c") and ("a","bc") differ. */
uint64_t bh_hash(const void *p, size_t len);
uint64_t bh_hash_more(uint64_t h, const void *p, size_t len);
/* SipHash-2-4 itself, for the published test vectors. */
uint64_t bh_siphash(const uint8_t key[16], const void *p, size_t len);

#endif
