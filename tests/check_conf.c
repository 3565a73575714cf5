/* check_conf.c: every mistake in a configuration is found and placed. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "mem.h"
#include "suites.h"

#define KEY    "key \"main\" { algorithm = \"HS256\" file = \"main.key\" }\n"
#define DOMAIN "domain \"tasks\" {}\n"
#define LEAST  KEY DOMAIN

static char dir[] = "/tmp/check_conf.XXXXXX";
static char path[64];
static char told[16384]; /* every message, a line each */
static int mistakes;

static void
setup(void)
{
    strcpy(dir, "/tmp/check_conf.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/b.conf", dir);
}

static void
teardown(void)
{
    unlink(path);
    rmdir(dir);
}

static void
on_mistake(void *arg, const char *message)
{
    (void)arg;
    size_t len = strlen(told);
    snprintf(told + len, sizeof(told) - len, "%s\n", message);
    mistakes++;
}

static struct bh_conf *
read_conf(const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
    told[0] = '\0';
    mistakes = 0;
    struct bh_conf *c = bh_conf_read(path, on_mistake, NULL);
    ck_assert_msg((c == NULL) == (mistakes > 0), "%d mistakes: %s", mistakes,
                  told);
    return c;
}

static struct bh_conf *
good(const char *text)
{
    struct bh_conf *c = read_conf(text);
    ck_assert_msg(c != NULL, "refused: %s", told);
    return c;
}

/* TEXT is refused, and one message ends with ":LINE: SAYS…". */
static void
bad(const char *text, int line, const char *says)
{
    char start[512];

    ck_assert_msg(read_conf(text) == NULL, "taken: %s", text);
    if (line > 0)
        snprintf(start, sizeof(start), "%s:%d: %s", path, line, says);
    else
        snprintf(start, sizeof(start), "%s: %s", path, says);
    const char *found = strstr(told, start);
    ck_assert_msg(found != NULL, "no \"%s\" in: %s", start, told);
    ck_assert_msg(found == told || found[-1] == '\n', "%s", told);
}

/* The same, and that is all there is to say. */
static void
only(const char *text, int line, const char *says)
{
    bad(text, line, says);
    ck_assert_msg(mistakes == 1, "%d mistakes: %s", mistakes, told);
}

START_TEST(defaults)
{
    struct bh_conf *c = good(LEAST);

    ck_assert_str_eq(c->path, path);
    ck_assert_int_eq(c->log_level, BH_NOTICE);
    ck_assert(!c->syslog);
    ck_assert_str_eq(c->log.path, "/var/lib/bellhop/events.db");
    ck_assert_int_eq(c->log.sync, BH_SYNC_FULL);
    ck_assert_str_eq(c->broker.socket, "/run/bellhop/broker.sock");
    ck_assert_uint_eq(c->broker.n_users, 1);
    ck_assert_str_eq(c->broker.users[0], "www-data");
    ck_assert_int_eq(c->broker.buffer_events, 200);
    ck_assert_int_eq(c->broker.buffer_ms, 25000);
    ck_assert_int_eq(c->broker.buffer_bytes, 256LL << 20);
    ck_assert_int_eq(c->broker.poll_ms, 25000);
    ck_assert_int_eq(c->broker.poll_jitter_ms, 1000);
    ck_assert_int_eq(c->broker.coalesce_ms, 10);
    ck_assert_int_eq(c->broker.waiters_per_channel, 5000);
    ck_assert_int_eq(c->broker.waiters_per_user, 20);
    ck_assert_int_eq(c->broker.waiters, 0);
    ck_assert_int_eq(c->broker.channels, 1200000);
    ck_assert_int_eq(c->broker.channel_idle_ms, 120000);
    ck_assert_ptr_null(c->worker.socket);
    ck_assert_int_eq(c->worker.threads, 8);
    ck_assert_int_eq(c->worker.io_timeout_ms, 30000);
    ck_assert_int_eq(c->worker.refusals_kept, 10000);
    ck_assert_int_ge(c->limits.body_bytes, BH_BODY_MAX);
    ck_assert_ptr_null(c->token.issuer);
    ck_assert_ptr_null(c->token.audience);
    ck_assert_int_eq(c->token.leeway_s, 30);
    ck_assert_int_eq(c->token.cache, 10000);
    ck_assert_str_eq(c->token.claim_org, "orgId");
    ck_assert_uint_eq(c->cors.n_origins_with_credentials, 0);
    ck_assert_uint_eq(c->cors.n_headers, 5);
    ck_assert_str_eq(c->cors.headers[4], "X-Client-Id");
    ck_assert_int_eq(c->cors.max_age_s, 7200);
    bh_conf_free(c);
}
END_TEST

START_TEST(values)
{
    char expected[128];
    struct bh_conf *c = good(
        "log_level = debug syslog = yes\n"
        "log { path = \"data/e.db\" sync = normal }\n"
        "broker { socket = \"/run/b.sock\" users = {\"a\", 'b'} users += {c}\n"
        "  buffer_megabytes = 1048576 channel_idle_seconds = 86400 }\n"
        "token { issuer = \"https://id.example.com/\" claim_org = \"o\" }\n"
        "key \"one\" { algorithm = RS512 file = /k/pub.pem sign_file = k.pem "
        "}\n"
        "key \"two\" { algorithm = ES256 file = p2 }\n"
        "cors { origins_with_credentials = {\"https://a.example\",\n"
        "  \"http://localhost:5173\", \"http://[::1]:80\"} headers = {} }\n"
        "domain \"tasks\" { legacy = true }\n"
        "domain \"guest-list\" { enabled = off }\n");

    ck_assert_int_eq(c->log_level, BH_DEBUG);
    ck_assert(c->syslog);
    snprintf(expected, sizeof(expected), "%s/data/e.db", dir);
    ck_assert_str_eq(c->log.path, expected);
    ck_assert_int_eq(c->log.sync, BH_SYNC_NORMAL);
    ck_assert_str_eq(c->broker.socket, "/run/b.sock");
    ck_assert_uint_eq(c->broker.n_users, 3);
    ck_assert_str_eq(c->broker.users[2], "c");
    ck_assert_int_eq(c->broker.buffer_bytes, 1LL << 40);
    ck_assert_int_eq(c->broker.channel_idle_ms, 86400000);
    ck_assert_str_eq(c->token.issuer, "https://id.example.com/");
    ck_assert_uint_eq(c->n_keys, 2);
    ck_assert_str_eq(c->keys[0].kid, "one");
    ck_assert_str_eq(c->keys[0].file, "/k/pub.pem");
    snprintf(expected, sizeof(expected), "%s/k.pem", dir);
    ck_assert_str_eq(c->keys[0].sign_file, expected);
    ck_assert_ptr_null(c->keys[1].sign_file);
    ck_assert_str_eq(c->keys[1].algorithm, "ES256");
    ck_assert_uint_eq(c->cors.n_origins_with_credentials, 3);
    ck_assert_uint_eq(c->cors.n_headers, 0);
    ck_assert_uint_eq(c->n_domains, 2);
    const struct bh_conf_domain *d = bh_conf_domain(c, "guest-list", 10);
    ck_assert_ptr_nonnull(d);
    ck_assert(!d->enabled && !d->legacy);
    ck_assert(bh_conf_domain(c, "tasks", 5)->legacy);
    ck_assert_ptr_null(bh_conf_domain(c, "task", 4));
    bh_conf_free(c);
}
END_TEST

START_TEST(every_mistake_is_told)
{
    bad("# one\n"
        "/* two\n   three */\n"
        "log_level = loud\n"
        "nonsense = {1, 2}\n"
        "broker {\n"
        "    coalesce_ms = 1001\n"
        "    buffer_events = 2.5\n"
        "    more = 1\n"
        "}\n"
        "worker { threads = 0 threads = 4 }\n"
        "key \"k\" { algorithm = PS256 }\n"
        "domain \"Tasks\" { enabled = maybe }\n"
        "cors { max_age_seconds = -1 }\n",
        4, "log_level: must be \"error\"");
    static const char *const all[] = {
        "b.conf:5: nonsense: there is no such option\n",
        "b.conf:7: broker.coalesce_ms: must be a whole number from 0 to 1000\n",
        "b.conf:8: broker.buffer_events: must be a whole number",
        "b.conf:9: broker.more: there is no such option\n",
        "b.conf:11: worker.threads: must be a whole number from 1 to 256\n",
        "b.conf:11: worker.threads: is given twice\n",
        "b.conf:12: key \"k\".algorithm: must be HS256",
        "b.conf:12: key \"k\": \"file\" is missing\n",
        "b.conf:13: domain \"Tasks\": a domain is named",
        "b.conf:13: domain \"Tasks\".enabled: must be true or false\n",
        "b.conf:14: cors.max_age_seconds: must be",
    };
    for (size_t i = 0; i < bh_countof(all); i++)
        ck_assert_msg(strstr(told, all[i]) != NULL, "no %s in:\n%s", all[i],
                      told);
    ck_assert_msg(mistakes == 12, "%d: %s", mistakes, told);
    ck_assert(strstr(told, ":4:") < strstr(told, ":5:"));
    ck_assert(strstr(told, ":5:") < strstr(told, ":7:"));
}
END_TEST

START_TEST(syntax)
{
    only(LEAST "log_level = \"notice\n", 3, "this text is never closed");
    only(LEAST "/* never\nclosed\n", 3, "this comment is never closed");
    only(LEAST "log {\n path = x\n", 3, "this brace is never closed");
    only(LEAST "}\n", 3, "unexpected closing brace");
    only(LEAST "log { path x }\n", 3,
         "missing equal sign after option 'path'; what");
    bad(LEAST "unheard {\n x = 1\n}\n", 3, "unheard: there is no such option");
    ck_assert_ptr_nonnull(strstr(told, "what follows was not looked at"));
    bad("domain {}\n" KEY, 1, "missing title");
    bh_conf_free(
        good("# \"it's\n" LEAST "// {\n/* '{' */ log { path = a//b }\n"));
}
END_TEST

START_TEST(after_a_bad_file_a_good_one_is_read)
{
    bad("log_level = \"a", 1, "");
    bad("broker { users = {\"a\"", 1, "");
    bh_conf_free(good(LEAST));
}
END_TEST

START_TEST(sections)
{
    only(LEAST DOMAIN, 3, "domain: a section of this name is there already");
    only(KEY LEAST, 2, "key: a section of this name is there already");
    only(LEAST "log {}\nlog {}\n", 4, "log: the section is given twice");
    only(KEY, 0, "domain: there is none");
    only(DOMAIN, 0, "key: there is none");
    only(LEAST "key \"b\" { algorithm = HS256 file = \"\" }", 3,
         "key \"b\".file: must not be empty");
    only(LEAST "log { path = \"\" }\n", 3, "log.path: must not be empty");
    only(LEAST "syslog = {}\n", 4, "syslog: takes one value");
    only(LEAST "syslog = {true, false}\n", 3, "syslog: takes one value");
}
END_TEST

START_TEST(numbers)
{
    static const char *const wrong[] = {"\"\"",  "0x10", "1e3",
                                        "+5",    "-0x",  "5 ",
                                        "010x",  "-",    "9223372036854775808",
                                        "256 MB"};
    char text[256];

    for (size_t i = 0; i < bh_countof(wrong); i++) {
        snprintf(text, sizeof(text), LEAST "worker { threads = \"%s\" }\n",
                 strcmp(wrong[i], "\"\"") == 0 ? "" : wrong[i]);
        only(text, 3, "worker.threads: must be a whole number from 1 to 256");
    }
    struct bh_conf *c = good(LEAST "worker { threads = 256 }\n");
    ck_assert_int_eq(c->worker.threads, 256);
    bh_conf_free(c);
}
END_TEST

START_TEST(origins)
{
    static const char *const wrong[] = {
        "*",
        "null",
        "https://*.example.com",
        "https://a.example/",
        "https://a.example/path",
        "https://A.example",
        "a.example",
        "https://",
        "://a",
        "https://a:",
        "https://a:123456",
        "https://user@a",
        "https://a b",
        "https://[::1",
    };
    char text[256];

    for (size_t i = 0; i < bh_countof(wrong); i++) {
        snprintf(text, sizeof(text), LEAST "cors { origins = {\"%s\"} }\n",
                 wrong[i]);
        only(text, 3,
             i < 3 ? "cors.origins: list each origin by name"
                   : "cors.origins: must be scheme://host");
    }
    only(LEAST "cors { headers = {\"X A\"} }\n", 3,
         "cors.headers: is no header's name");
    only(LEAST "cors { headers = {A, A} }\n", 3,
         "cors.headers: holds the same text twice");
}
END_TEST

START_TEST(wrong_names)
{
    static const char *const wrong[] = {"",
                                        "1a",
                                        "-a",
                                        "a_b",
                                        "tasks/x",
                                        "\xc3\xa9",
                                        "a23456789012345678901234567890123"};
    char text[256];

    for (size_t i = 0; i < bh_countof(wrong); i++) {
        snprintf(text, sizeof(text), KEY "domain \"%s\" {}\n", wrong[i]);
        bad(text, 2, "domain \"");
        ck_assert_int_eq(mistakes, 1);
    }
    bh_conf_free(good(KEY "domain a2345678901234567890123456789012 {}\n"));
    only(LEAST "token { claim_org = sub }\n", 0, "token: two claims");
    only(LEAST "token { claim_user = exp }\n", 0, "token: two claims");
    snprintf(text, sizeof(text), LEAST "broker { socket = \"/%0120d\" }\n", 0);
    only(text, 3, "broker.socket: is too long");
}
END_TEST

START_TEST(too_many_domains)
{
    char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", KEY);

    for (int i = 0; i <= BH_DOMAINS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "domain \"d%d\" { legacy = on }\n", i);
    only(text, BH_DOMAINS_MAX + 2, "domain \"d64\": there are more than 64");
}
END_TEST

START_TEST(many_unknown)
{
    char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", LEAST);

    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "x%d = 1\n", i);
    bad(text, 3, "x0: there is no such option");
    ck_assert_int_eq(mistakes, 33);
}
END_TEST

START_TEST(environment)
{
    setenv("ENABLE_GUEST_LIST_REALTIME_V2", "false", 1);
    setenv("ENABLE_TASKS_REALTIME_V2", "true", 1);
    struct bh_conf *c =
        good(LEAST "domain \"guest-list\" {}\ndomain off { enabled = no }\n");
    ck_assert(!bh_conf_domain(c, "guest-list", 10)->enabled);
    ck_assert(bh_conf_domain(c, "guest-list", 10)->off_by_environment);
    ck_assert(!bh_conf_domain(c, "off", 3)->off_by_environment);
    ck_assert(bh_conf_domain(c, "tasks", 5)->enabled);
    bh_conf_free(c);
    setenv("ENABLE_OFF_REALTIME_V2", "true", 1);
    c = good(LEAST "domain off { enabled = no }\n");
    ck_assert(!bh_conf_domain(c, "off", 3)->enabled);
    bh_conf_free(c);
}
END_TEST

START_TEST(unreadable)
{
    told[0] = '\0';
    ck_assert_ptr_null(bh_conf_read("/nowhere/b.conf", on_mistake, NULL));
    ck_assert_str_eq(told, "/nowhere/b.conf: No such file or directory\n");
    told[0] = '\0';
    ck_assert_ptr_null(bh_conf_read("/tmp", on_mistake, NULL));
    ck_assert_str_eq(told, "/tmp: Is a directory\n");
}
END_TEST

/* The n-th allocation fails: no crash, no leak, and never a half-read file. */
START_TEST(no_memory)
{
    size_t before = bh_mem_used();

    for (unsigned long n = 1;; n++) {
        bh_mem_fail_at(n);
        struct bh_conf *c =
            read_conf(LEAST "broker { users = {a, b} }\nlog {}\n");
        bool waiting = bh_mem_fail_at(0);
        ck_assert_msg((c != NULL) == waiting, "allocation %lu", n);
        bh_conf_free(c);
        ck_assert_uint_eq(bh_mem_used(), before);
        if (waiting) break;
    }
}
END_TEST

/* ---- the sample ---- */

struct names {
    char v[128][64];
    size_t n;
};

static void
add_name(void *arg, const char *option)
{
    struct names *names = arg;

    ck_assert_uint_lt(names->n, bh_countof(names->v));
    snprintf(names->v[names->n++], sizeof(names->v[0]), "%s", option);
}

static bool
has(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->v[i], name) == 0) return true;
    return false;
}

/* The options of the sample, one on a line, each after a comment. */
static void
sample_names(struct names *out)
{
    FILE *f = fopen(BH_TEST_DIR "/../deploy/bellhop.conf", "r");
    char line[256], word[64], name[128], section[64] = "";

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, " %63[a-z_]", word) != 1) {
            if (line[0] == '}') section[0] = '\0';
            continue;
        }
        if (line[strlen(line) - 2] == '{') {
            strcpy(section, word);
        } else {
            snprintf(name, sizeof(name), "%s%s%s", section,
                     *section != '\0' ? "." : "", word);
            add_name(out, name);
        }
    }
    fclose(f);
}

START_TEST(sample_and_table_agree)
{
    struct names table = {.n = 0}, sample = {.n = 0};

    bh_conf_options(add_name, &table);
    sample_names(&sample);
    ck_assert_uint_gt(table.n, 30);
    for (size_t i = 0; i < table.n; i++)
        ck_assert_msg(has(&sample, table.v[i]), "the sample lacks %s",
                      table.v[i]);
    for (size_t i = 0; i < sample.n; i++)
        ck_assert_msg(has(&table, sample.v[i]), "the table lacks %s",
                      sample.v[i]);
    ck_assert_uint_eq(table.n, sample.n);
}
END_TEST

static bool
same_list(char **a, size_t n, char **b, size_t m)
{
    if (n != m) return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0) return false;
    return true;
}

START_TEST(sample_shows_the_defaults)
{
    told[0] = '\0';
    struct bh_conf *s =
        bh_conf_read(BH_TEST_DIR "/../deploy/bellhop.conf", on_mistake, NULL);
    ck_assert_msg(s != NULL, "%s", told);
    struct bh_conf *d = good(LEAST);

    ck_assert_int_eq(s->log_level, d->log_level);
    ck_assert_int_eq(s->syslog, d->syslog);
    ck_assert_str_eq(s->log.path, d->log.path);
    ck_assert_int_eq(s->log.sync, d->log.sync);
    ck_assert_str_eq(s->broker.socket, d->broker.socket);
    ck_assert(same_list(s->broker.users, s->broker.n_users, d->broker.users,
                        d->broker.n_users));
    /* From buffer_events on the section is numbers only. */
    size_t from = offsetof(struct bh_conf, broker.buffer_events);
    size_t to = offsetof(struct bh_conf, broker.channel_idle_ms) + sizeof(int);
    ck_assert_mem_eq((char *)s + from, (char *)d + from, to - from);
    ck_assert_ptr_null(s->worker.socket);
    ck_assert_int_eq(s->worker.threads, d->worker.threads);
    ck_assert_int_eq(s->worker.io_timeout_ms, d->worker.io_timeout_ms);
    ck_assert_int_eq(s->worker.refusals_kept, d->worker.refusals_kept);
    ck_assert_ptr_null(s->token.issuer);
    ck_assert_ptr_null(s->token.audience);
    ck_assert_int_eq(s->token.leeway_s, d->token.leeway_s);
    ck_assert_int_eq(s->token.cache, d->token.cache);
    ck_assert_str_eq(s->token.claim_user, d->token.claim_user);
    ck_assert_str_eq(s->token.claim_org, d->token.claim_org);
    ck_assert_str_eq(s->token.claim_properties, d->token.claim_properties);
    ck_assert_str_eq(s->token.claim_scope, d->token.claim_scope);
    ck_assert(same_list(s->cors.headers, s->cors.n_headers, d->cors.headers,
                        d->cors.n_headers));
    ck_assert_int_eq(s->cors.max_age_s, d->cors.max_age_s);
    ck_assert(s->domains[0].enabled && !s->domains[0].legacy);
    bh_conf_free(s);
    bh_conf_free(d);
}
END_TEST

Suite *
check_conf(void)
{
    Suite *suite = suite_create("conf");
    TCase *tc = tcase_create("conf");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, defaults);
    tcase_add_test(tc, values);
    tcase_add_test(tc, every_mistake_is_told);
    tcase_add_test(tc, syntax);
    tcase_add_test(tc, after_a_bad_file_a_good_one_is_read);
    tcase_add_test(tc, sections);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, origins);
    tcase_add_test(tc, wrong_names);
    tcase_add_test(tc, too_many_domains);
    tcase_add_test(tc, many_unknown);
    tcase_add_test(tc, environment);
    tcase_add_test(tc, unreadable);
    tcase_add_test(tc, no_memory);
    tcase_add_test(tc, sample_and_table_agree);
    tcase_add_test(tc, sample_shows_the_defaults);
    suite_add_tcase(suite, tc);
    return suite;
}
