#include "map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "suites.h"

#define MANY 100000

struct entry {
    struct bh_node node;
    char key[16];
};

static struct entry *entries;
static struct bh_map map;

static uint64_t
key_hash(const char *key)
{
    return bh_hash(key, strlen(key));
}

static void
setup(void)
{
    ck_assert_int_eq(bh_map_init(&map), 0);
    entries = bh_zalloc(MANY * sizeof *entries);
    for (size_t i = 0; i < MANY; i++)
        snprintf(entries[i].key, sizeof entries[i].key, "org-%zu", i);
}

static void
teardown(void)
{
    bh_map_fini(&map);
    bh_free(entries);
}

static struct entry *
find(const char *key)
{
    struct bh_node *n = bh_map_find(&map, key_hash(key));

    for (; n != NULL; n = bh_map_next(n)) {
        struct entry *e = bh_container_of(n, struct entry, node);
        if (strcmp(e->key, key) == 0) return e;
    }
    return NULL;
}

static void
add(size_t i)
{
    bh_map_add(&map, &entries[i].node, key_hash(entries[i].key));
}

START_TEST(a_hundred_thousand)
{
    for (size_t i = 0; i < MANY; i++) {
        size_t before = map.buckets;
        add(i);
        ck_assert_uint_le(map.buckets, before + 1);
    }
    ck_assert_uint_eq(map.count, MANY);
    for (size_t i = 0; i < MANY; i += 2) bh_map_del(&map, &entries[i].node);
    ck_assert_uint_eq(map.count, MANY / 2);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_ptr_eq(find(entries[i].key), i % 2 ? &entries[i] : NULL);
    ck_assert_ptr_null(find("org-100000"));
}
END_TEST

/* Growth keeps pace and the hash spreads: no long chain. */
START_TEST(chains_stay_short)
{
    size_t longest = 0, seen = 0;

    for (size_t i = 0; i < MANY; i++) add(i);
    ck_assert_uint_ge(map.buckets, MANY);
    ck_assert_uint_le(map.cap, 4 * (size_t)MANY);
    for (size_t i = 0; i < map.buckets; i++) {
        size_t len = 0;
        for (struct bh_node *n = map.v[i]; n != NULL; n = n->next) len++;
        longest = len > longest ? len : longest;
        seen += len;
    }
    ck_assert_uint_eq(seen, MANY);
    ck_assert_uint_le(longest, 20);
}
END_TEST

/* Every entry stays findable at each step of the growth. */
START_TEST(found_while_it_grows)
{
    for (size_t i = 0; i < 300; i++) {
        add(i);
        for (size_t k = 0; k <= i; k++)
            ck_assert_ptr_eq(find(entries[k].key), &entries[k]);
    }
}
END_TEST

START_TEST(one_hash_for_all)
{
    const uint64_t hash = 0x1234567890abcdefu;
    const size_t n = 1000;
    size_t found = 0;

    for (size_t i = 0; i < n; i++) bh_map_add(&map, &entries[i].node, hash);
    /* Others in between, one of them in the same bucket at any size. */
    bh_map_add(&map, &entries[n].node, hash ^ 1ull << 63);
    for (size_t i = n + 1; i < 2 * n; i++) add(i);
    for (struct bh_node *p = bh_map_find(&map, hash); p != NULL;
         p = bh_map_next(p)) {
        ck_assert_uint_eq(p->hash, hash);
        found++;
    }
    ck_assert_uint_eq(found, n);
    for (size_t i = 0; i < n; i++) bh_map_del(&map, &entries[i].node);
    ck_assert_ptr_null(bh_map_find(&map, hash));
    ck_assert_ptr_eq(bh_map_find(&map, hash ^ 1ull << 63), &entries[n].node);
    ck_assert_uint_eq(map.count, n);
}
END_TEST

START_TEST(deleting_twice_is_harmless)
{
    add(0);
    add(1);
    bh_map_del(&map, &entries[0].node);
    bh_map_del(&map, &entries[0].node);
    ck_assert_uint_eq(map.count, 1);
    add(0);
    ck_assert_ptr_eq(find(entries[0].key), &entries[0]);
}
END_TEST

START_TEST(no_memory_makes_chains)
{
    struct bh_map refused;
    size_t next = 0;

    bh_mem_fail_at(1);
    ck_assert_int_eq(bh_map_init(&refused), -ENOMEM);
    for (; next < map.cap; next++) add(next);
    size_t buckets = map.buckets;
    for (size_t i = 0; i < 100; i++) {
        bh_mem_fail_at(1);
        add(next++);
    }
    ck_assert(!bh_mem_fail_at(0));
    ck_assert_uint_eq(map.buckets, buckets);
    for (size_t i = 0; i < 1000; i++) add(next++);
    ck_assert_uint_gt(map.buckets, 1000);
    for (size_t i = 0; i < next; i++)
        ck_assert_ptr_eq(find(entries[i].key), &entries[i]);
}
END_TEST

/* The authors' vectors: key 00 01 … 0f, message 00 01 … of each length. */
static const uint64_t vectors[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
    0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
    0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
    0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
    0xa129ca6149be45e5, 0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794,
    0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd, 0xbed65cf21aa2ee98,
    0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3,
    0x2f2e6163076bcfad, 0xde4daaaca71dc9a5, 0xa6a2506687956571,
    0xad87a3535c49ef28, 0x32d892fad841c342, 0x7127512f72f27cce,
    0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d,
    0x9abfd8766a33735c, 0x0e3ea96b5304a7d0, 0xad0c42d6fc585992,
    0x187306c89bc215a9, 0xd4a60abcf3792b95, 0xf935451de4f21df2,
    0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72,
    0xa192d576b245165a, 0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f,
    0x7fa8220ba3b2ecea, 0x245731c13ca42499, 0xb78dbfaf3a8d83bd,
    0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57,
    0x958a324ceb064572,
};

START_TEST(siphash_vectors)
{
    uint8_t key[16], message[64];

    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
        ck_assert_uint_eq(bh_siphash(key, message, i), vectors[i]);
    }
}
END_TEST

START_TEST(hashes_have_boundaries)
{
    uint64_t h = bh_hash("ab", 2);

    ck_assert_uint_eq(h, bh_hash("ab", 2));
    ck_assert_uint_ne(h, bh_hash("abc", 3));
    ck_assert_uint_eq(bh_hash_more(h, "c", 1), bh_hash_more(h, "c", 1));
    ck_assert_uint_ne(bh_hash_more(h, "c", 1),
                      bh_hash_more(bh_hash("a", 1), "bc", 2));
    ck_assert_uint_ne(bh_hash_more(h, "c", 1), bh_hash("abc", 3));
    ck_assert_uint_ne(bh_hash_more(h, NULL, 0), h);
}
END_TEST

Suite *
check_map(void)
{
    Suite *s = suite_create("map");
    TCase *tc = tcase_create("table");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_hundred_thousand);
    tcase_add_test(tc, chains_stay_short);
    tcase_add_test(tc, found_while_it_grows);
    tcase_add_test(tc, one_hash_for_all);
    tcase_add_test(tc, deleting_twice_is_harmless);
    tcase_add_test(tc, no_memory_makes_chains);
    suite_add_tcase(s, tc);
    tc = tcase_create("hash");
    tcase_add_test(tc, siphash_vectors);
    tcase_add_test(tc, hashes_have_boundaries);
    suite_add_tcase(s, tc);
    return s;
}
