/* check_conf_fixed.c: what a running process can't change stays as it was. */
#include "base.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "suites.h"

#define REST                                                                   \
    "key \"main\" { algorithm = \"HS256\" file = \"main.key\" }\n"             \
    "domain \"tasks\" {}\n"

static char dir[64];

static void
setup(void)
{
    strcpy(dir, "/tmp/check_conf_fixed.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
    char path[96];

    snprintf(path, sizeof path, "%s/c", dir);
    unlink(path);
    rmdir(dir);
}

static void
complain(void *arg, const char *message)
{
    (void)arg;
    fprintf(stderr, "%s\n", message);
}

static struct bh_conf *
conf(const char *text)
{
    char path[96];

    snprintf(path, sizeof path, "%s/c", dir);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "%s" REST, text);
    ck_assert_int_eq(fclose(f), 0);
    struct bh_conf *c = bh_conf_read(path, complain, NULL);
    ck_assert_ptr_nonnull(c);
    return c;
}

START_TEST(keeps_and_names_what_needs_a_restart)
{
    struct bh_conf *was = conf("log { path = \"a.db\" }\n");
    struct bh_conf *is =
        conf("syslog = true\nlog_level = debug\n"
             "log { path = \"b.db\" sync = normal }\n"
             "broker { socket = \"b.sock\" waiters_per_user = 7 }\n"
             "worker { socket = \"w.sock\" threads = 3 }\n"
             "token { issuer = me }\n");
    struct bh_buf names = BH_BUF_INIT;

    ck_assert(bh_conf_keep_fixed(is, was, &names));
    ck_assert_str_eq(bh_buf_cstr(&names),
                     "syslog, log.path, log.sync, broker.socket, "
                     "worker.socket, worker.threads");
    ck_assert_str_eq(is->log.path, was->log.path);
    ck_assert_int_eq(is->log.sync, BH_SYNC_FULL);
    ck_assert_str_eq(is->broker.socket, was->broker.socket);
    ck_assert_ptr_null(is->worker.socket);
    ck_assert_int_eq(is->worker.threads, was->worker.threads);
    ck_assert(!is->syslog);
    ck_assert_int_eq(is->broker.waiters_per_user, 7);
    ck_assert_int_eq(is->log_level, BH_DEBUG);
    ck_assert_str_eq(is->token.issuer, "me");
    bh_buf_fini(&names);
    bh_conf_free(was);
    bh_conf_free(is);
}
END_TEST

START_TEST(says_nothing_where_nothing_differs)
{
    struct bh_conf *was = conf("log { path = \"a.db\" }\n");
    struct bh_conf *is = conf("log { path = \"a.db\" }\nlog_level = debug\n");
    struct bh_buf names = BH_BUF_INIT;

    ck_assert(bh_conf_keep_fixed(is, was, &names));
    ck_assert_uint_eq(names.len, 0);
    bh_buf_fini(&names);
    bh_conf_free(was);
    bh_conf_free(is);
}
END_TEST

Suite *
check_conf_fixed(void)
{
    Suite *s = suite_create("conf_fixed");
    TCase *t = tcase_create("fixed");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, keeps_and_names_what_needs_a_restart);
    tcase_add_test(t, says_nothing_where_nothing_differs);
    suite_add_tcase(s, t);
    return s;
}
