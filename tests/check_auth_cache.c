/* check_auth_cache.c: verified tokens are remembered: not too many, not too
 * long, and by all threads together. */
#include "authkit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "auth_parts.h"
#include "clock.h"
#include "mem.h"
#include "suites.h"

/* The token of user N, in memory that the next call but seven reuses. */
static const char *
token_of(int n)
{
    char payload[128];

    snprintf(payload, sizeof(payload), "{\"sub\":\"user %d\"," AK_EXP "}", n);
    return ak_hs(payload);
}

/* Whether N's claims are still those at C, which the caller holds: so they are
 * the cache's. */
static bool
remembered(int n, const struct bh_claims *c)
{
    const struct bh_claims *again = ak_granted(token_of(n));
    bool same = again == c;

    ck_assert_str_eq(again->user, c->user);
    bh_claims_put(again);
    return same;
}

START_TEST(found_again)
{
    ak_open(AK_DOMAIN AK_HS);
    const struct bh_claims *c = ak_granted(token_of(1));
    ck_assert(remembered(1, c));
    ck_assert(remembered(1, c));
    bh_claims_put(c);
    ck_assert_str_eq(c->user, "user 1"); /* the cache holds it */

    ak_open(AK_DOMAIN AK_HS "token { cache = 0 }\n");
    c = ak_granted(token_of(1));
    ck_assert(!remembered(1, c));
    bh_claims_put(c);
}
END_TEST

/* The claims outlive the handle that gave them. */
START_TEST(claims_outlive_the_handle)
{
    ak_open(AK_DOMAIN AK_HS);
    const struct bh_claims *c = ak_granted(token_of(1));
    ak_open(AK_DOMAIN AK_HS);
    ck_assert_str_eq(c->user, "user 1");
    ck_assert(!remembered(1, c));
    bh_claims_put(c);
    bh_claims_put(NULL);
}
END_TEST

START_TEST(the_one_unused_for_longest_goes)
{
    const struct bh_claims *c[4];

    ak_open(AK_DOMAIN AK_HS "token { cache = 3 }\n");
    for (int i = 0; i < 3; i++) c[i] = ak_granted(token_of(i));
    ck_assert(remembered(0, c[0]));
    c[3] = ak_granted(token_of(3)); /* instead of 1 */
    ck_assert(remembered(0, c[0]));
    ck_assert(remembered(2, c[2]));
    ck_assert(remembered(3, c[3]));
    ck_assert(!remembered(1, c[1])); /* comes back instead of 0 */
    ck_assert(!remembered(0, c[0]));
    for (int i = 0; i < 4; i++) bh_claims_put(c[i]);
}
END_TEST

START_TEST(bounded)
{
    size_t at_first = 0;

    ak_open(AK_DOMAIN AK_HS "token { cache = 5 }\n");
    for (int i = 100; i < 200; i++) {
        bh_claims_put(ak_granted(token_of(i)));
        if (i == 104) at_first = bh_mem_used();
    }
    /* malloc rounds differently where a block is used again. */
    ck_assert_uint_lt(bh_mem_used(), at_first + 1024);
}
END_TEST

/* What is in the cache is good until its exp and no millisecond longer. */
START_TEST(expires)
{
    const char *t = token_of(1);
    size_t before;

    ak_open(AK_DOMAIN AK_HS);
    before = bh_mem_used();
    const struct bh_claims *c = ak_granted(t);
    bh_clock_fake(1000, c->expires_ms - 1);
    ck_assert(remembered(1, c));
    bh_clock_fake(1000, c->expires_ms);
    ak_refused("at exp", ak_bearer(t), BH_TOKEN_EXPIRED, "has expired");
    ck_assert_str_eq(c->user, "user 1"); /* ours still */
    bh_claims_put(c);
    ck_assert_uint_lt(bh_mem_used(),
                      before + 1024); /* and no longer the cache's */
    bh_clock_fake(1000, (AK_NOW + 10000) * 1000LL);
    ak_refused("later", ak_bearer(t), BH_TOKEN_EXPIRED, "has expired");
}
END_TEST

/* A refused token is not remembered, nor is it taken for one that was. */
START_TEST(refused_are_not_remembered)
{
    char text[512];

    ak_open(AK_DOMAIN AK_HS);
    size_t before = bh_mem_used();
    ak_refused(
        "not yet",
        ak_bearer(ak_hs("{\"sub\":\"u\",\"nbf\":1795492300," AK_EXP "}")),
        BH_TOKEN_INVALID, "isn't valid yet");
    ck_assert_uint_lt(bh_mem_used(), before + 1024);
    bh_claims_put(ak_granted(strcpy(text, token_of(1))));
    text[strlen(text) - 1] ^= 4; /* a digit on, and no spare bit */
    ak_refused("another signature", ak_bearer(text), BH_TOKEN_INVALID, "");
}
END_TEST

/* Digests that the map can't tell apart are told apart by their other bytes. */
START_TEST(same_hash)
{
    struct bh_auth_cache *cache = bh_auth_cache_new(10);
    struct bh_held *h[2], *found;
    bool expired;

    for (int i = 0; i < 2; i++) {
        h[i] = bh_zalloc(sizeof(*h[i]));
        atomic_init(&h[i]->refs, 1);
        h[i]->claims.expires_ms = 5;
        h[i]->claims.digest[31] = (uint8_t)i;
        bh_auth_cache_add(cache, h[i]);
        bh_auth_cache_add(cache, h[i]); /* once is enough */
    }
    uint8_t digest[32] = {0};
    for (int i = 0; i < 3; i++) {
        digest[31] = (uint8_t)i;
        found = bh_auth_cache_find(cache, digest, 4, &expired);
        ck_assert_ptr_eq(found, i < 2 ? h[i] : NULL);
        ck_assert(!expired);
        if (found != NULL) bh_held_put(found);
    }
    digest[31] = 0;
    ck_assert_ptr_null(bh_auth_cache_find(cache, digest, 5, &expired));
    ck_assert(expired);
    ck_assert_ptr_null(bh_auth_cache_find(cache, digest, 5, &expired));
    ck_assert(!expired);
    bh_auth_cache_free(cache);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(atomic_load(&h[i]->refs), 1);
        bh_held_put(h[i]);
    }
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define TOKENS  7

static struct bh_auth *shared;
static char bearer[TOKENS + 1][512]; /* the last is a bad one */
static pthread_barrier_t start;
static atomic_uint faults;

/* More tokens than the cache holds, so that finding, adding and dropping meet.
 */
static void *
check_all(void *arg)
{
    int first = *(const int *)arg;

    pthread_barrier_wait(&start);
    for (int i = 0; i < 300; i++) {
        const struct bh_claims *c;
        const char *why;
        char user[16];
        int n = (first + i * 3) % (TOKENS + 1);
        enum bh_refusal r = bh_auth_check(shared, bearer[n], &c, &why);
        snprintf(user, sizeof(user), "user %d", n);
        if (n == TOKENS ? r != BH_TOKEN_INVALID
                        : r != BH_GRANTED || strcmp(c->user, user) != 0)
            atomic_fetch_add(&faults, 1);
        bh_claims_put(c);
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread[THREADS];
    int first[THREADS];

    ak_open(AK_DOMAIN AK_HS AK_RS "token { cache = 3 }\n");
    size_t before = bh_mem_used();
    shared = ak_open(AK_DOMAIN AK_HS AK_RS "token { cache = 3 }\n");
    ck_assert_uint_lt(bh_mem_used(), before + 1024);
    for (int i = 0; i < TOKENS; i++) strcpy(bearer[i], ak_bearer(token_of(i)));
    strcpy(bearer[TOKENS],
           ak_bearer(ak_token("{\"alg\":\"HS256\",\"kid\":\"hs\"}", AK_GOOD,
                              "other.key")));
    atomic_store(&faults, 0);
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        first[i] = i;
        ck_assert(pthread_create(&thread[i], NULL, check_all, &first[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&start);
    ck_assert_uint_eq(atomic_load(&faults), 0);
    /* Three tokens are held, and nothing else. */
    size_t used = bh_mem_used();
    bh_claims_put(ak_granted(token_of(8)));
    ck_assert_uint_lt(bh_mem_used(), used + 1024);
}
END_TEST

Suite *
check_auth_cache(void)
{
    Suite *suite = suite_create("auth_cache");
    TCase *tc = tcase_create("auth_cache");

    tcase_add_unchecked_fixture(tc, ak_make_folder, ak_remove_folder);
    tcase_add_checked_fixture(tc, ak_start, ak_stop);
    tcase_add_test(tc, found_again);
    tcase_add_test(tc, claims_outlive_the_handle);
    tcase_add_test(tc, the_one_unused_for_longest_goes);
    tcase_add_test(tc, bounded);
    tcase_add_test(tc, expires);
    tcase_add_test(tc, refused_are_not_remembered);
    tcase_add_test(tc, same_hash);
    tcase_add_test(tc, threads);
    suite_add_tcase(suite, tc);
    return suite;
}
