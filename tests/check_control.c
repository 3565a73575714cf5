/* check_control.c: an operator speaks to the broker: requests are ended, others
 * are let be, and what comes a moment later is turned away. */
#include "base.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/control.h"
#include "broker/domain.h"
#include "brokerkit.h"
#include "log.h"
#include "suites.h"

static struct kit k;

static void
setup(void)
{
    kit_open(&k, "");
}

static void
teardown(void)
{
    kit_close(&k);
}

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

/* A poll of USER in ORG and DOMAIN; the web server's end. */
static int
poll_of(const char *domain, const char *org, const char *user)
{
    struct bh_park p = kit_park(&k);

    p.domain = str(domain);
    p.org = str(org);
    p.user = str(user);
    kit_cursor(&k, &p, k.b.head);
    return kit_send(&k, &p);
}

/* It was answered with STATUS, and the body says TEXT. */
static void
was(int fd, int status, const char *text)
{
    struct kit_answer a = kit_read(fd);

    ck_assert_msg(a.status == status && strstr(a.body, text), "%d %s", a.status,
                  a.body);
    if (status == 503) ck_assert_ptr_nonnull(strstr(a.head, "Retry-After"));
    ck_assert_int_eq(strstr(a.head, "WWW-Authenticate") != NULL, status == 401);
    free(a.body);
}

static void
waits(int fd)
{
    char byte;

    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    close(fd);
}

static void
announce(void)
{
    const struct bh_ctlchange c = {true, false, {BH_LEVEL_KEEP, BH_LEVEL_KEEP}};

    ck_assert_int_eq(bh_ctlpage_change(k.path, &c), 0);
}

static void
deny(const char *user, const char *org)
{
    struct bh_denied d = {
        .kind = BH_DENIED_SUB, .value = str(user), .org = str(org)};

    ck_assert_int_eq(bh_store_begin(k.log), 0);
    ck_assert_int_eq(bh_store_deny(k.log, &d), 0);
    ck_assert_int_eq(bh_store_commit(k.log), 0);
}

static void
turn_switch(const char *domain, bool enabled)
{
    ck_assert_int_eq(bh_store_begin(k.log), 0);
    ck_assert_int_eq(bh_store_switch(k.log, str(domain), enabled), 0);
    ck_assert_int_eq(bh_store_commit(k.log), 0);
}

/* ---- END ---- */

START_TEST(ends_an_org_a_user_a_domain)
{
    const struct bh_end user = {1, str("tasks"), str("o1"), str("u1")};
    const struct bh_end org = {1, str(""), str("o1"), str("")};
    const struct bh_end nobody = {1, str(""), str("o"), str("1u1")};
    int a = poll_of("tasks", "o1", "u1"), b = poll_of("tasks", "o1", "u1");
    int c = poll_of("rooms", "o1", "u1"), d = poll_of("tasks", "o1", "u2");
    int e = poll_of("tasks", "o2", "u1");

    ck_assert_uint_eq(bh_control_end(&k.b, &nobody), 0);
    ck_assert_uint_eq(bh_control_end(&k.b, &user), 2);
    kit_turn(&k);
    was(a, 401, "token_invalid");
    was(b, 401, "ended this session");
    ck_assert_uint_eq(k.b.n_waiters, 3);
    ck_assert_uint_eq(bh_control_end(&k.b, &org), 2);
    kit_turn(&k);
    was(c, 401, "token_invalid");
    was(d, 401, "token_invalid");
    ck_assert_uint_eq(k.b.n_waiters, 1);
    ck_assert_uint_eq(bh_control_end(&k.b, &org), 0);
    waits(e);
    was(poll_of("tasks", "o1", "u1"), 0, ""); /* it may come back */
}
END_TEST

START_TEST(ends_thousands_and_leaves_the_rest)
{
    const struct bh_end org = {1, str(""), str("gone"), str("")};
    int gone[400], stay[100];
    char user[32];

    for (int i = 0; i < 400; i++) {
        snprintf(user, sizeof user, "u%d", i % 150);
        gone[i] = poll_of(i % 2 ? "tasks" : "rooms", "gone", user);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(user, sizeof user, "u%d", i);
        stay[i] = poll_of("tasks", "stay", user);
    }
    ck_assert_uint_eq(k.b.n_waiters, 500);
    ck_assert_uint_eq(bh_control_end(&k.b, &org), 400);
    ck_assert(bh_broker_valid(&k.b));
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 100);
    ck_assert_uint_eq(k.b.users.count, 100);
    for (int i = 0; i < 400; i++) was(gone[i], 401, "token_invalid");
    for (int i = 0; i < 100; i++) waits(stay[i]);
}
END_TEST

/* ---- rules ---- */

START_TEST(a_denied_user_is_ended_and_stays_out)
{
    int a = poll_of("tasks", "o1", "anna"), b = poll_of("tasks", "o2", "anna");
    int c = poll_of("tasks", "o1", "bert");

    deny("anna", "o1");
    announce();
    kit_sleep(&k, 100);
    kit_turn(&k);
    was(a, 401, "revoked");
    was(poll_of("tasks", "o1", "anna"), 401, "token_invalid");
    ck_assert_uint_eq(k.b.n_waiters, 2);
    ck_assert_uint_eq(bh_control_reread(&k.b), 1); /* whom the tick ended */
    ck_assert_uint_eq(bh_control_reread(&k.b), 0);
    deny("anna", "");
    ck_assert_uint_eq(bh_control_reread(&k.b), 1); /* told so */
    kit_turn(&k);
    was(b, 401, "revoked");
    waits(c);
}
END_TEST

START_TEST(a_domain_goes_off_and_on)
{
    int a = poll_of("tasks", "o1", "u1"), b = poll_of("rooms", "o1", "u1");

    turn_switch("tasks", false);
    ck_assert_uint_eq(bh_control_reread(&k.b), 1);
    kit_turn(&k);
    was(a, 503, "domain_disabled");
    was(poll_of("tasks", "o1", "u1"), 503, "domain_disabled");
    turn_switch("tasks", true);
    ck_assert_uint_eq(bh_control_reread(&k.b), 0);
    a = poll_of("tasks", "o1", "u1");
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 2);
    waits(a);
    waits(b);
}
END_TEST

/* Should bellhopctl have died between the table and the page. */
START_TEST(tables_are_read_without_being_told)
{
    int a = poll_of("tasks", "o1", "u1");

    kit_turn(&k);
    turn_switch("tasks", false);
    kit_sleep(&k, 4000);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 1);
    kit_sleep(&k, 1001);
    kit_turn(&k);
    was(a, 503, "domain_disabled");
}
END_TEST

START_TEST(a_page_that_is_junk_changes_nothing)
{
    char path[96];

    announce();
    turn_switch("tasks", false);
    bh_control_reread(&k.b);
    snprintf(path, sizeof path, "%s.control", k.path);
    ck_assert_int_eq(truncate(path, 3), 0);
    kit_sleep(&k, 6000);
    kit_turn(&k);
    was(poll_of("tasks", "o1", "u1"), 503, "domain_disabled");
    ck_assert_int_eq(unlink(path), 0);
    kit_sleep(&k, 6000);
    kit_turn(&k);
    was(poll_of("tasks", "o1", "u1"), 503, "domain_disabled");
}
END_TEST

START_TEST(level_follows_the_page)
{
    const struct bh_ctlchange debug = {
        false, false, {BH_LEVEL_KEEP, BH_DEBUG + 1}};
    const struct bh_ctlchange back = {false, false, {BH_LEVEL_KEEP, 0}};

    ck_assert(!bh_log_wants(BH_WARN));
    ck_assert_int_eq(bh_ctlpage_change(k.path, &debug), 0);
    bh_control_reread(&k.b);
    ck_assert(bh_log_wants(BH_DEBUG));
    ck_assert_int_eq(bh_ctlpage_change(k.path, &back), 0);
    kit_sleep(&k, 100);
    kit_turn(&k);
    ck_assert(!bh_log_wants(BH_WARN)); /* the configuration's: error */
}
END_TEST

/* ---- RELOAD ---- */

static void
configure(const char *text)
{
    FILE *f = fopen(k.b.conf->path, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f,
            "log_level = error\n"
            "key \"k\" { algorithm = \"HS256\" file = \"k\" }\n%s",
            text);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_mistake_changes_nothing)
{
    const struct bh_conf *before = k.b.conf;
    struct bh_buf text = BH_BUF_INIT;
    uint32_t ended = 9;
    int a = poll_of("tasks", "o1", "u1");

    configure("domain \"tasks\" { enabled = false }\n"
              "broker { poll_seconds = 0 }\n");
    ck_assert(!bh_control_reload(&k.b, &text, &ended));
    ck_assert_ptr_eq(k.b.conf, before);
    ck_assert_ptr_nonnull(
        strstr(bh_buf_cstr(&text), "conf:4: broker.poll_sec"));
    ck_assert_uint_eq(ended, 0);
    bh_buf_fini(&text);
    waits(a);
}
END_TEST

START_TEST(all_of_it_takes_effect)
{
    struct bh_buf text = BH_BUF_INIT;
    uint32_t ended;
    char socket[128];
    int a = poll_of("tasks", "o1", "u1"), b = poll_of("rooms", "o1", "u1");

    snprintf(socket, sizeof socket, "%s", k.b.conf->broker.socket);
    configure("log { path = \"log.db\" }\n"
              "broker { socket = \"other.sock\" waiters_per_user = 1 }\n"
              "domain \"tasks\" { enabled = false } domain \"rooms\" {}\n");
    ck_assert(bh_control_reload(&k.b, &text, &ended));
    ck_assert_uint_eq(ended, 1);
    kit_turn(&k);
    was(a, 503, "domain_disabled");
    ck_assert_str_eq(bh_buf_cstr(&text), "needs a restart: broker.socket\n");
    ck_assert_str_eq(k.b.conf->broker.socket, socket);
    was(poll_of("rooms", "o1", "u1"), 200, "overloaded");
    /* A domain that is gone from the file is gone for those who wait. */
    configure("log { path = \"log.db\" }\ndomain \"tasks\" { }\n");
    bh_buf_reset(&text);
    ck_assert(bh_control_reload(&k.b, &text, &ended));
    ck_assert_uint_eq(ended, 1);
    kit_turn(&k);
    was(b, 404, "not_found");
    /* And for those whom a worker hands over that hasn't heard of it yet. Later
     * it may know of a newer file. */
    was(poll_of("rooms", "o1", "u1"), 404, "not_found");
    waits(poll_of("tasks", "o1", "u1"));
    kit_sleep(&k, 2000);
    kit_turn(&k);
    waits(poll_of("rooms", "o1", "u1"));
    bh_buf_fini(&text);
}
END_TEST

/* How many events of the org that has most are in memory, as the metrics say.
 */
static uint64_t
most_in_memory(void)
{
    static struct bh_report r;

    bh_domains_report(&k.b, &r);
    return bh_report_domain(&r, str("tasks"))->v[BH_M_BUFFERED_MAX];
}

START_TEST(a_larger_buffer_is_told_in_full)
{
    struct bh_buf text = BH_BUF_INIT;
    uint32_t ended;

    kit_publish(&k, 300, NULL);
    kit_turn(&k);
    ck_assert_uint_eq(most_in_memory(), 200);
    configure("log { path = \"log.db\" }\n"
              "broker { buffer_events = 1000 } domain \"tasks\" { }\n");
    ck_assert(bh_control_reload(&k.b, &text, &ended));
    kit_publish(&k, 700, NULL);
    kit_turn(&k);
    ck_assert_uint_eq(most_in_memory(), 900);
    kit_sleep(&k, 30000);
    kit_turn(&k);
    ck_assert_uint_eq(most_in_memory(), 0);
    bh_buf_fini(&text);
}
END_TEST

/* Before the broker had a socket by which to hear of it. */
START_TEST(reload_during_the_start)
{
    struct bh_conf *old;
    struct bh_broker b;
    char path[96];

    snprintf(path, sizeof path, "%s/conf", k.dir);
    old = bh_conf_read(path, NULL, NULL);
    ck_assert_ptr_nonnull(old);
    FILE *f = fopen(path, "a");
    ck_assert_ptr_nonnull(f);
    fputs("domain \"new\" { }\n", f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(bh_broker_init(&b, old), 0);
    ck_assert_ptr_nonnull(bh_conf_domain(b.conf, "new", 3));
    bh_broker_fini(&b);
}
END_TEST

Suite *
check_control(void)
{
    Suite *s = suite_create("control");
    TCase *t = tcase_create("control");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, ends_an_org_a_user_a_domain);
    tcase_add_test(t, ends_thousands_and_leaves_the_rest);
    tcase_add_test(t, a_denied_user_is_ended_and_stays_out);
    tcase_add_test(t, a_domain_goes_off_and_on);
    tcase_add_test(t, tables_are_read_without_being_told);
    tcase_add_test(t, a_page_that_is_junk_changes_nothing);
    tcase_add_test(t, level_follows_the_page);
    tcase_add_test(t, a_mistake_changes_nothing);
    tcase_add_test(t, all_of_it_takes_effect);
    tcase_add_test(t, a_larger_buffer_is_told_in_full);
    tcase_add_test(t, reload_during_the_start);
    suite_add_tcase(s, t);
    return s;
}
