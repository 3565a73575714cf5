#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "logbox.h"
#include "suites.h"

#define HOUR ((int64_t)3600000)
#define WALL (INT64_C(1763900000000) / HOUR * HOUR)

static struct bh_str
str(const char *s)
{
    return bh_logbox_str(s);
}

/* ORGS: a letter for each event, an event of that org a minute from FROM on. */
static void
fill(struct bh_store *s, const char *orgs, int64_t from)
{
    for (size_t i = 0; orgs[i] != '\0'; i++) {
        char org[2] = {orgs[i], 0}, id[48];
        snprintf(id, sizeof id, "%lld-%zu", (long long)from, i);
        bh_clock_fake(0, from + (int64_t)i * 60000);
        bh_logbox_put(s, org, NULL, id);
    }
}

/* All steps of a prune; how many went. */
static int
prune(struct bh_store *s, struct bh_prune p)
{
    int n, sum = 0;

    while (!p.done) {
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_store_prune(s, &p, 2, &n), 0);
        bh_logbox_commit(s);
        ck_assert_int_le(n, 2);
        sum += n;
    }
    return sum;
}

static int64_t
pruned(struct bh_store *s, const char *org)
{
    int64_t seq;

    ck_assert_int_eq(bh_store_pruned(s, str("tasks"), str(org), &seq), 0);
    return seq;
}

static void
hold(struct bh_store *s, const char *org, bool on)
{
    bool changed;

    bh_logbox_begin(s);
    ck_assert_int_eq(on ? bh_store_hold(s, str(org), str("why"), &changed)
                        : bh_store_unhold(s, str(org), &changed),
                     0);
    bh_logbox_commit(s);
    ck_assert(changed);
}

/* ---- pruning ---- */

START_TEST(one_channel_is_pruned_and_only_it_is_told)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    int64_t rows, any;
    int n;

    fill(s, "abababab", WALL);
    const struct bh_prune p = {.domain = str("tasks"),
                               .org = str("a"),
                               .before_ms = WALL + 5 * 60000,
                               .upto = INT64_MAX};
    ck_assert_int_eq(bh_store_prune_count(s, &p, &rows), 0);
    ck_assert_int_eq(rows, 3);
    ck_assert_int_eq(prune(s, p), 3);
    ck_assert_int_eq(pruned(s, "a"), 5);
    ck_assert_int_eq(pruned(s, "b"), 0);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 0);
    ck_assert_int_eq(bh_store_pruned_any(s, &any), 0);
    ck_assert_int_eq(any, 5);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 5);
    /* The whole log's mark overtakes it, and then it is of no more use. */
    ck_assert_int_eq(prune(s, (struct bh_prune){.before_ms = WALL + 6 * 60000,
                                                .upto = INT64_MAX}),
                     3);
    ck_assert_int_eq(pruned(s, "a"), 6);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_store_prune_tidy(s, 100, &n), 0);
    ck_assert_int_eq(n, 1);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM pruned"), 0);
    bh_store_close(s);
}
END_TEST

START_TEST(what_is_on_hold_stays_and_is_not_told)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    const struct bh_prune all = {.before_ms = INT64_MAX, .upto = 6};

    fill(s, "abcabcabc", WALL);
    prune(s, (struct bh_prune){.before_ms = WALL + 60000, .upto = INT64_MAX});
    hold(s, "b", true);
    ck_assert_int_eq(prune(s, all), 3);
    ck_assert_int_eq(pruned(s, "a"), 6);
    ck_assert_int_eq(pruned(s, "b"), 1); /* as far as it went before */
    bh_logbox_page(s, NULL, 0, 10, "");
    ck_assert_int_eq(
        bh_logbox_number("SELECT count(*) FROM events WHERE org_id = 'b'"), 3);
    const struct bh_prune b = {.domain = str("tasks"),
                               .org = str("b"),
                               .before_ms = INT64_MAX,
                               .upto = 6};
    ck_assert_int_eq(prune(s, b), 0);
    ck_assert_int_eq(pruned(s, "b"), 1);
    /* The hold ends: told as all others, and gone with the next pruning. */
    hold(s, "b", false);
    ck_assert_int_eq(pruned(s, "b"), 6);
    ck_assert_int_eq(prune(s, all), 2);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 3);
    bh_store_close(s);
}
END_TEST

START_TEST(size_of_an_org_is_cut_from_its_oldest)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    int64_t upto;

    fill(s, "ababab", WALL); /* bodies of two bytes */
    ck_assert_int_eq(bh_store_oversize(s, str(NULL), str("a"), 4, &upto), 0);
    ck_assert_int_eq(upto, 1);
    ck_assert_int_eq(bh_store_oversize(s, str(NULL), str("a"), 6, &upto), 0);
    ck_assert_int_eq(upto, 0);
    ck_assert_int_eq(bh_store_oversize(s, str("tasks"), str(NULL), 0, &upto),
                     0);
    ck_assert_int_eq(upto, 6);
    bh_store_close(s);
}
END_TEST

START_TEST(channels_come_one_after_the_other)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    struct bh_buf domain = BH_BUF_INIT, org = BH_BUF_INIT;
    char seen[16] = "";
    bool any = true;

    fill(s, "cabbac", WALL);
    for (;;) {
        ck_assert_int_eq(bh_store_next_channel(s, &domain, &org, &any), 0);
        if (!any) break;
        strncat(seen, org.p, org.len);
    }
    ck_assert_str_eq(seen, "abc");
    bh_buf_fini(&domain);
    bh_buf_fini(&org);
    bh_store_close(s);
}
END_TEST

/* ---- hours and summaries ---- */

START_TEST(each_hour_knows_where_it_begins)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    enum bh_stored what;

    fill(s, "aaa", WALL + 58 * 60000); /* two before the hour, one after */
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM hours"), 2);
    ck_assert_int_eq(bh_logbox_number("SELECT first_seq FROM hours"
                                      " ORDER BY hour DESC"),
                     3);
    /* What is taken back takes its hour along. */
    bh_clock_fake(0, WALL + 5 * HOUR);
    bh_logbox_begin(s);
    bh_logbox_append(s, "a", NULL, "x", "{}", &what);
    bh_store_rollback(s);
    bh_logbox_begin(s);
    bh_store_mark(s);
    bh_logbox_append(s, "a", NULL, "y", "{}", &what);
    bh_store_unmark(s, false);
    bh_logbox_append(s, "a", NULL, "z", "{}", &what);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT first_seq FROM hours"
                                      " ORDER BY hour DESC"),
                     4);
    bh_store_close(s);
}
END_TEST

START_TEST(a_log_of_before_gets_its_hours)
{
    size_t n;
    const struct bh_step *steps = bh_store_schema(&n);

    for (size_t i = 0; i < 3; i++) bh_logbox_sql(steps[i].sql);
    bh_logbox_sql("INSERT INTO log (only, log_id, created_at)"
                  " VALUES (1, '0123456789abcdef', 1);"
                  "INSERT INTO events (domain, org_id, event_id, event_type,"
                  " timestamp, stored_at, publisher, body) VALUES"
                  " ('tasks', 'o', 'a', 't', 1, 3600000, 'p', '{}'),"
                  " ('tasks', 'o', 'b', 't', 1, 3600001, 'p', '{}'),"
                  " ('tasks', 'o', 'c', 't', 1, 7200000, 'p', '{}')");
    bh_store_close(bh_logbox_writer(BH_SYNC_NORMAL));
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) = 2 AND min(first_seq)"
                                      " = 1 AND max(first_seq) = 3 FROM hours"),
                     1);
    ck_assert_int_eq(bh_logbox_number("SELECT sum(events)"
                                      " FROM silent_domains"),
                     3);
}
END_TEST

static void
summarize(struct bh_store *s, int limit)
{
    int n;

    do {
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_store_summarize(s, limit, &n), 0);
        bh_logbox_commit(s);
        ck_assert_int_le(n, 2 * limit);
    } while (n > 0);
}

START_TEST(summaries_count_each_event_once_in_whatever_steps)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    const struct bh_delivery d[] = {{1, 3, 900}, {2, -1, 1900}, {5, 2, 40000}};
    int n;

    fill(s, "aab", WALL);
    fill(s, "bbb", WALL + HOUR);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_store_deliveries(s, d, 3, 100), 0);
    bh_logbox_commit(s);
    bh_clock_fake(0, WALL + 2 * HOUR);
    summarize(s, 2);
    summarize(s, 100);
    ck_assert_int_eq(bh_logbox_number("SELECT sum(events) = 6 AND count(*) = 2"
                                      " AND sum(bytes) = 12 FROM hour_types"),
                     1);
    ck_assert_int_eq(bh_logbox_number("SELECT events FROM day_orgs"
                                      " WHERE org_id = 'b'"),
                     4);
    ck_assert_int_eq(bh_logbox_number("SELECT events FROM domain_totals"), 6);
    ck_assert_int_eq(bh_logbox_number("SELECT sum(n) = 3 AND sum(woken) = 5 AND"
                                      " max(ms) = 50 FROM hour_delays"),
                     1);
    /* They outlive the events. */
    prune(s, (struct bh_prune){.before_ms = INT64_MAX, .upto = INT64_MAX});
    summarize(s, 100);
    ck_assert_int_eq(bh_logbox_number("SELECT sum(events) FROM hour_types"), 6);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_store_summary_keep(s, WALL + HOUR, 2, &n), 0);
    ck_assert_int_eq(n, 2); /* no more at once than was said */
    ck_assert_int_eq(bh_store_summary_keep(s, WALL + HOUR, 1000, &n), 0);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(bh_store_summary_keep(s, WALL + HOUR, 1000, &n), 0);
    ck_assert_int_eq(n, 0);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT sum(events) FROM hour_types"), 3);
    bh_store_close(s);
}
END_TEST

/* ---- a gentle handle ---- */

START_TEST(gentle_handle_checkpoints_apart_from_its_commits)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    int64_t held;
    int orgs = 0;

    ck_assert_int_eq(bh_store_gentle(s), 0);
    ck_assert_int_eq(bh_store_checkpoint(s, &held), 0); /* isn't due */
    while (s->frames - s->checkpointed < 128) {
        char org[32];
        snprintf(org, sizeof org, "org-%d", orgs++);
        bh_logbox_put(s, org, NULL, org);
        ck_assert_int_eq(s->checkpointed, 0);
        ck_assert_int_lt(orgs, 1000);
    }
    ck_assert(!s->locked);
    ck_assert_int_eq(bh_store_checkpoint(s, &held), 1);
    ck_assert_int_ge(held, 0);
    ck_assert(!s->locked);
    ck_assert_int_eq(s->checkpointed, s->frames);
    ck_assert_int_eq(bh_store_checkpoint(s, &held), 0);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), orgs);
    bh_store_close(s);
}
END_TEST

/* ---- the last while ---- */

static void
add_tally(void *arg, struct bh_str word, int64_t n)
{
    struct bh_buf *told = arg;

    bh_buf_fmt(told, "%.*s %lld;", (int)word.len, word.p, (long long)n);
}

START_TEST(tally_counts_what_came_since_most_first)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    struct bh_refused refused = {.domain = str("tasks"),
                                 .org = str(""),
                                 .subject = str("u"),
                                 .pointer = str(""),
                                 .detail = str(""),
                                 .request_id = str("r")};
    static const char *const codes[] = {"old", "rare", "often", "often"};
    struct bh_buf told = BH_BUF_INIT;

    for (size_t i = 0; i < bh_countof(codes); i++) {
        bh_clock_fake(0, i == 0 ? WALL : WALL + HOUR);
        refused.code = str(codes[i]);
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_store_refusal(s, &refused, 100), 0);
        bh_logbox_commit(s);
    }
    ck_assert_int_eq(
        bh_store_tally(s, BH_TALLY_REFUSALS, WALL + 1, add_tally, &told), 0);
    ck_assert_str_eq(bh_buf_cstr(&told), "often 2;rare 1;");
    bh_buf_reset(&told);
    ck_assert_int_eq(bh_store_tally(s, BH_TALLY_TELEMETRY, 0, add_tally, &told),
                     0);
    ck_assert_str_eq(bh_buf_cstr(&told), "");
    bh_buf_fini(&told);
    bh_store_close(s);
}
END_TEST

START_TEST(only_the_newest_deliveries_are_kept)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);

    for (int64_t i = 1; i <= 100; i++) {
        const struct bh_delivery d = {i, 1, 500};
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_store_deliveries(s, &d, 1, 10), 0);
        bh_logbox_commit(s);
    }
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) = 10 AND min(seq) = 91"
                                      " FROM deliveries"),
                     1);
    bh_store_close(s);
}
END_TEST

START_TEST(duplicates_are_counted)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    enum bh_stored what;

    bh_clock_fake(0, WALL);
    bh_logbox_begin(s);
    for (int i = 0; i < 4; i++)
        bh_logbox_append(s, "a", NULL, "x", i < 3 ? "{}" : "{1}", &what);
    ck_assert_int_eq(what, BH_CONFLICT);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT n FROM duplicates"
                                      " WHERE publisher = 'backend'"),
                     2);
    bh_store_close(s);
}
END_TEST

/* ---- searching ---- */

static void
expect_found(struct bh_store *s, struct bh_search q, int last, const char *want)
{
    struct bh_seen seen = {.text = ""};
    int64_t after = 0;

    if (last > 0)
        ck_assert_int_eq(bh_store_search_last(s, &q, last, &after), 0);
    ck_assert_int_eq(bh_store_search(s, &q, after, 100, bh_logbox_see, &seen),
                     0);
    for (char *p = seen.text; (p = strchr(p, ':'));) { /* the seqs alone */
        char *end = strchr(p, ' ');
        memmove(p, end, strlen(end) + 1);
    }
    ck_assert_str_eq(seen.text, want);
}

START_TEST(events_are_found_by_what_is_said_of_them)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);

    fill(s, "abab", WALL);
    fill(s, "abab", WALL + 3 * HOUR);
    bh_clock_fake(0, WALL + 9 * HOUR);
    bh_logbox_put(s, "a", "p", "named");
    expect_found(s, (struct bh_search){.org = str("a")}, 0, "1 3 5 7 9 ");
    expect_found(s, (struct bh_search){.org = str("a")}, 2, "7 9 ");
    expect_found(s, (struct bh_search){.org = str("none")}, 2, "");
    expect_found(s, (struct bh_search){.domain = str("tasks"), .org = str("b")},
                 0, "2 4 6 8 ");
    expect_found(s, (struct bh_search){.domain = str("other")}, 0, "");
    expect_found(s, (struct bh_search){.id = str("named")}, 0, "9 ");
    expect_found(s, (struct bh_search){.property = str("p")}, 0, "9 ");
    expect_found(s, (struct bh_search){.type = str("TaskCreated")}, 1, "9 ");
    expect_found(s, (struct bh_search){.type = str("x' OR 1 --")}, 0, "");
    expect_found(s, (struct bh_search){.since_ms = WALL + 3 * HOUR + 60000}, 0,
                 "6 7 8 9 ");
    expect_found(s, (struct bh_search){.since_ms = WALL - HOUR}, 0,
                 "1 2 3 4 5 6 7 8 9 ");
    expect_found(s,
                 (struct bh_search){.since_ms = WALL + 60000,
                                    .until_ms = WALL + 3 * HOUR + 60000,
                                    .domain = str("tasks"),
                                    .org = str("a")},
                 0, "3 5 ");
    bh_store_close(s);
}
END_TEST

/* ---- copies ---- */

static void
forget_progress(void *arg, int64_t done, int64_t all)
{
    int *calls = arg;

    ck_assert_int_le(done, all);
    ++*calls;
}

START_TEST(backup_is_whole_while_others_write)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    char err[512] = "", to[160];
    int64_t events;
    int calls = 0;

    fill(s, "aaaa", WALL);
    snprintf(to, sizeof to, "%s", bh_logbox_path(".copy"));
    ck_assert_int_eq(bh_store_backup(bh_logbox_path(""), to, forget_progress,
                                     &calls, &events, err, sizeof err),
                     0);
    ck_assert_int_eq(events, 4);
    ck_assert_int_gt(calls, 0);
    ck_assert_int_eq(bh_logbox_size(".copy-wal"), -1);
    ck_assert_int_eq(bh_logbox_size(".copy.part"), -1);
    struct stat st;
    ck_assert_int_eq(stat(to, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    /* Nowhere to write to: said, and nothing is left. */
    ck_assert_int_lt(bh_store_backup(bh_logbox_path(""), "/nowhere/b", NULL,
                                     NULL, &events, err, sizeof err),
                     0);
    ck_assert_ptr_nonnull(strstr(err, "/nowhere/b"));
    bh_store_close(s);
}
END_TEST

START_TEST(restored_log_has_another_name)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    char err[512] = "", copy[160], aside[160], was[BH_LOG_ID_LEN + 1];
    int64_t events;
    bool had_one;

    snprintf(copy, sizeof copy, "%s", bh_logbox_path(".copy"));
    snprintf(aside, sizeof aside, "%s", bh_logbox_path(".aside"));
    strcpy(was, bh_store_log_id(s));
    fill(s, "aaaa", WALL);
    bh_store_backup(bh_logbox_path(""), copy, NULL, NULL, &events, err,
                    sizeof err);
    fill(s, "bbb", WALL + HOUR);
    ck_assert_int_eq(bh_store_restore(bh_logbox_path(""), copy, aside, &had_one,
                                      &events, err, sizeof err),
                     0);
    ck_assert(had_one);
    ck_assert_int_eq(events, 4);
    /* The writer that was open finds out before it writes. */
    ck_assert_int_eq(bh_store_begin(s), -ESTALE);
    bh_store_close(s);
    s = bh_logbox_writer(BH_SYNC_NORMAL);
    ck_assert_str_ne(bh_store_log_id(s), was);
    ck_assert_int_eq(bh_logbox_span(s).head, 4);
    ck_assert_int_eq(bh_logbox_put(s, "c", NULL, "new"), 5);
    ck_assert(bh_logbox_sound());
    bh_store_close(s);
    /* The old one is whole where it lies now, its WAL with it. */
    ck_assert_int_eq(bh_store_open_reader(&s, aside), 0);
    ck_assert_str_eq(bh_store_log_id(s), was);
    ck_assert_int_eq(bh_logbox_span(s).head, 7);
    bh_store_close(s);
}
END_TEST

/* Of one that was killed: a copy with commits in its WAL. Those belong to no
 * other copy. */
START_TEST(left_over_wal_is_not_restored)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    char err[512] = "", copy[160];
    int64_t events;
    bool had_one;

    snprintf(copy, sizeof copy, "%s", bh_logbox_path(".copy"));
    fill(s, "aaaa", WALL);
    bh_store_backup(bh_logbox_path(""), copy, NULL, NULL, &events, err,
                    sizeof err);
    bh_store_close(s);
    ck_assert_int_eq(
        bh_store_open_writer(&s, bh_logbox_path(".restoring"), BH_SYNC_NORMAL),
        0);
    fill(s, "bb", WALL);
    bh_store_close(s);
    ck_assert_int_gt(bh_logbox_size(".restoring-wal"), 0);
    ck_assert_int_eq(bh_store_restore(bh_logbox_path(""), copy,
                                      bh_logbox_path(".aside"), &had_one,
                                      &events, err, sizeof err),
                     0);
    s = bh_logbox_writer(BH_SYNC_NORMAL);
    ck_assert_int_eq(bh_logbox_span(s).head, 4);
    ck_assert(bh_logbox_sound());
    bh_store_close(s);
}
END_TEST

START_TEST(what_is_no_log_is_not_restored)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    char err[512] = "", bad[160];
    int64_t events;
    bool had_one;

    fill(s, "a", WALL);
    snprintf(bad, sizeof bad, "%s", bh_logbox_path(".bad"));
    FILE *f = fopen(bad, "w");
    fputs("no database, and long enough to be looked at", f);
    fclose(f);
    ck_assert_int_lt(bh_store_restore(bh_logbox_path(""), bad,
                                      bh_logbox_path(".aside"), &had_one,
                                      &events, err, sizeof err),
                     0);
    ck_assert_ptr_nonnull(strstr(err, ".bad"));
    ck_assert_int_eq(bh_logbox_size(".restoring"), -1);
    ck_assert_int_eq(bh_logbox_size(".aside"), -1);
    ck_assert_int_eq(bh_logbox_put(s, "a", NULL, "still"), 2);
    bh_store_close(s);
}
END_TEST

/* ---- verify ---- */

struct findings {
    int bad, notes;
    char text[2048];
};

static void
note_finding(void *arg, enum bh_finding kind, const char *text)
{
    struct findings *f = arg;

    f->bad += kind == BH_FOUND_BAD;
    f->notes += kind == BH_FOUND_NOTE;
    snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text),
             "%s\n", text);
}

static void
expect_findings(int bad, int notes, const char *words)
{
    struct findings f = {.bad = 0};
    char err[512];

    ck_assert_int_eq(bh_store_verify(bh_logbox_path(""), false, note_finding,
                                     &f, err, sizeof err),
                     0);
    ck_assert_msg(f.bad == bad && f.notes == notes &&
                      strstr(f.text, words) != NULL,
                  "%d bad, %d notes:\n%s", f.bad, f.notes, f.text);
}

#define BODY "'{\"eventId\":\"e\",\"eventType\":\"T\",\"orgId\":\"o\"}'"
#define PUT(body)                                                              \
    "INSERT INTO events (domain, org_id, event_id, event_type, timestamp,"     \
    " stored_at, publisher, body) VALUES ('tasks', 'o', 'e', 'T', 1, 2, 'p',"  \
    " " body ")"

START_TEST(verify_finds_what_is_wrong)
{
    bh_store_close(bh_logbox_writer(BH_SYNC_NORMAL));
    bh_logbox_sql(PUT(BODY));
    expect_findings(0, 0, "1 row(s) in events");
    bh_logbox_sql("CREATE TABLE theirs (x)");
    expect_findings(1, 0, "foreign or altered: table theirs");
    bh_logbox_sql("DROP TABLE theirs; DROP VIEW silent_domains");
    expect_findings(1, 0, "missing or altered: view silent_domains");
    bh_logbox_sql("CREATE VIEW silent_domains AS SELECT 1");
    expect_findings(2, 0, "altered: view silent_domains");
}
END_TEST

START_TEST(verify_compares_columns_and_numbers)
{
    bh_store_close(bh_logbox_writer(BH_SYNC_NORMAL));
    bh_logbox_sql(PUT(BODY));
    bh_logbox_sql("UPDATE events SET org_id = 'other'");
    expect_findings(1, 0, "body doesn't say");
    bh_logbox_sql("UPDATE events SET org_id = 'o';"
                  "UPDATE sqlite_sequence SET seq = 0");
    expect_findings(1, 0, "sequence behind");
    bh_logbox_sql("UPDATE sqlite_sequence SET seq = 1;"
                  "INSERT INTO deliveries VALUES (7, 1, 1);"
                  "UPDATE log SET pruned_seq = 1");
    expect_findings(0, 2, "delivery record(s)");
}
END_TEST

static void
teardown(void)
{
    bh_clock_real();
    bh_logbox_teardown();
}

Suite *
check_store_admin(void)
{
    Suite *suite = suite_create("store_admin");
    TCase *tc = tcase_create("admin");

    tcase_add_checked_fixture(tc, bh_logbox_setup, teardown);
    tcase_add_test(tc, one_channel_is_pruned_and_only_it_is_told);
    tcase_add_test(tc, what_is_on_hold_stays_and_is_not_told);
    tcase_add_test(tc, size_of_an_org_is_cut_from_its_oldest);
    tcase_add_test(tc, channels_come_one_after_the_other);
    tcase_add_test(tc, each_hour_knows_where_it_begins);
    tcase_add_test(tc, a_log_of_before_gets_its_hours);
    tcase_add_test(tc, summaries_count_each_event_once_in_whatever_steps);
    tcase_add_test(tc, only_the_newest_deliveries_are_kept);
    tcase_add_test(tc, duplicates_are_counted);
    tcase_add_test(tc, events_are_found_by_what_is_said_of_them);
    tcase_add_test(tc, backup_is_whole_while_others_write);
    tcase_add_test(tc, restored_log_has_another_name);
    tcase_add_test(tc, left_over_wal_is_not_restored);
    tcase_add_test(tc, what_is_no_log_is_not_restored);
    tcase_add_test(tc, gentle_handle_checkpoints_apart_from_its_commits);
    tcase_add_test(tc, tally_counts_what_came_since_most_first);
    tcase_add_test(tc, verify_finds_what_is_wrong);
    tcase_add_test(tc, verify_compares_columns_and_numbers);
    suite_add_tcase(suite, tc);
    return suite;
}
