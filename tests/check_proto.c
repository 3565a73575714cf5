#include "proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "suites.h"

#define LOG_ID "0123456789abcdef"
#define S(text)                                                                \
    {                                                                          \
        text, sizeof text - 1                                                  \
    }

/* Any message, decoded. */
union message {
    struct bh_hello hello;
    struct bh_welcome welcome;
    struct bh_note note;
    struct bh_noted noted;
    struct bh_park park;
    struct bh_ping ping;
    struct bh_str error;
    struct bh_end end;
    struct bh_ended ended;
    struct bh_reload reload;
    struct bh_reloaded reloaded;
    struct bh_counts counts;
    struct bh_report report;
};

static bool
decode(int op, struct bh_reader *r, union message *m)
{
    switch (op) {
    case BH_OP_HELLO:
        return bh_hello_decode(r, &m->hello);
    case BH_OP_WELCOME:
        return bh_welcome_decode(r, &m->welcome);
    case BH_OP_NOTE:
        return bh_note_decode(r, &m->note);
    case BH_OP_NOTED:
        return bh_noted_decode(r, &m->noted);
    case BH_OP_PARK:
        return bh_park_decode(r, &m->park);
    case BH_OP_PING:
    case BH_OP_PONG:
        return bh_ping_decode(r, &m->ping);
    case BH_OP_ERROR:
        return bh_error_decode(r, &m->error);
    case BH_OP_END:
        return bh_end_decode(r, &m->end);
    case BH_OP_ENDED:
        return bh_ended_decode(r, &m->ended);
    case BH_OP_RELOAD:
        return bh_reload_decode(r, &m->reload);
    case BH_OP_RELOADED:
        return bh_reloaded_decode(r, &m->reloaded);
    case BH_OP_STATS:
        return bh_stats_decode(r);
    case BH_OP_STATED:
        return bh_stated_decode(r, &m->report);
    case BH_OP_COUNT:
        return bh_counts_decode(r, &m->counts);
    default:
        return false;
    }
}

/* The message again; R still stands at the counts of a NOTED. */
static void
encode(struct bh_buf *b, int op, struct bh_reader *r, const union message *m)
{
    static uint32_t woken[BH_GROUP_MAX];
    char text[BH_ERROR_TEXT_MAX + 1];

    switch (op) {
    case BH_OP_HELLO:
        bh_hello_encode(b, &m->hello);
        break;
    case BH_OP_WELCOME:
        bh_welcome_encode(b, &m->welcome);
        break;
    case BH_OP_NOTE:
        bh_note_encode(b, &m->note);
        break;
    case BH_OP_NOTED:
        for (uint32_t i = 0; i < m->noted.n; i++) woken[i] = bh_read_u32(r);
        bh_noted_encode(b, &m->noted, woken);
        break;
    case BH_OP_PARK:
        bh_park_encode(b, &m->park);
        break;
    case BH_OP_PING:
    case BH_OP_PONG:
        bh_ping_encode(b, (enum bh_op)op, &m->ping);
        break;
    case BH_OP_ERROR:
        snprintf(text, sizeof text, "%.*s", (int)m->error.len, m->error.p);
        bh_error_encode(b, text);
        break;
    case BH_OP_END:
        bh_end_encode(b, &m->end);
        break;
    case BH_OP_ENDED:
        bh_ended_encode(b, &m->ended);
        break;
    case BH_OP_RELOAD:
        bh_reload_encode(b, &m->reload);
        break;
    case BH_OP_RELOADED:
        bh_reloaded_encode(b, &m->reloaded);
        break;
    case BH_OP_STATS:
        bh_stats_encode(b);
        break;
    case BH_OP_STATED:
        bh_stated_encode(b, &m->report);
        break;
    case BH_OP_COUNT:
        bh_counts_encode(b, &m->counts);
        break;
    default:
        b->failed = true;
    }
}

/* Decode a copy of exactly LEN bytes, so that a sanitizer sees a read beyond.
 * "none" where it is no message, else "refuse" or "accept"; what is accepted
 * must come out of the encoder as it went in. */
static const char *
judge(const char *p, size_t len)
{
    struct bh_buf again = BH_BUF_INIT;
    struct bh_reader r;
    union message m;
    char *copy = bh_strndup(p, len);
    char *exact = bh_alloc(len);
    const char *verdict = "none";

    if (len > 0) memcpy(exact, copy, len);
    memset(&m, 0xa5, sizeof m);
    int op = bh_msg_open(&r, exact, len);
    if (op != 0) verdict = decode(op, &r, &m) ? "accept" : "refuse";
    if (strcmp(verdict, "accept") == 0) {
        encode(&again, op, &r, &m);
        ck_assert(!again.failed);
        ck_assert_uint_eq(again.len, len);
        ck_assert_mem_eq(again.p, p, len);
    }
    bh_buf_fini(&again);
    bh_free(copy);
    bh_free(exact);
    return verdict;
}

/* ---- the table of frames ---- */

/* One token: 'text', or a byte in hex, perhaps with how many times. */
static const char *
parse_token(struct bh_buf *b, const char *p)
{
    char digits[3] = {p[0], p[1], '\0'};
    char *end;

    if (*p == '\'') {
        size_t len = strcspn(p + 1, "'");
        bh_buf_add(b, p + 1, len);
        return p + 1 + len + 1;
    }
    uint8_t byte = (uint8_t)strtoul(digits, &end, 16);
    ck_assert_ptr_eq(end, digits + 2);
    p += 2;
    unsigned long times = 1;
    if (*p == '*') {
        times = strtoul(p + 1, &end, 10);
        p = end;
    }
    while (times-- > 0) bh_buf_u8(b, byte);
    return p;
}

static void
parse_bytes(struct bh_buf *b, const char *p)
{
    bh_buf_reset(b);
    while (*p != '\0') p = *p == ' ' ? p + 1 : parse_token(b, p);
}

START_TEST(table_of_frames)
{
    FILE *f = fopen(BH_TEST_DIR "/data/frames.tsv", "re");
    struct bh_buf b = BH_BUF_INIT;
    static char line[16384];
    int rows = 0, ops = 0;

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f) != NULL) {
        char *rest = line;
        if (line[0] == '#' || line[0] == '\n') continue;
        const char *name = strsep(&rest, "\t"), *bytes = strsep(&rest, "\t");
        const char *expected = strsep(&rest, "\n");
        ck_assert_ptr_nonnull(expected);
        parse_bytes(&b, bytes);
        const char *got = judge(b.p, b.len);
        ck_assert_msg(strcmp(got, expected) == 0, "%s: %s, not %s", name, got,
                      expected);
        if (strcmp(got, "accept") == 0) ops |= 1 << b.p[1];
        rows++;
    }
    fclose(f);
    ck_assert_int_gt(rows, 80);
    ck_assert_int_eq(ops,
                     0xf3fe); /* each but STATED and COUNT, which are long */
    bh_buf_fini(&b);
}
END_TEST

/* ---- samples ---- */

static struct bh_buf properties;

static struct bh_park
sample_park(void)
{
    struct bh_park m = {
        .request_id = 1,
        .kind = BH_PARK_POLL,
        .has_cursor = true,
        .cursor_seq = 1042,
        .expires_ms = 1795492201123,
        .wait_ms = 25000,
        .token_digest = "0123456789abcde",
        .cursor_log = S(LOG_ID),
        .domain = S("tasks"),
        .org = S("org-1"),
        .user = S("user-7"),
        .client_id = S("tab.1"),
        .property = S("p-3"),
        .origin = S("http://localhost:5173"),
        .ua = S("curl/7.88.1"),
        .request_id_text = S("8c1f9a"),
        .head = S("Access-Control-Allow-Origin: *\r\nVary: Origin\r\n"),
        .n_properties = 3,
    };

    bh_buf_reset(&properties);
    bh_buf_lstr(&properties, "p-1", 3);
    bh_buf_lstr(&properties, "p-12", 4);
    bh_buf_lstr(&properties, "p-3", 3);
    m.properties = (struct bh_str){properties.p, properties.len};
    return m;
}

static void
sample(struct bh_buf *b, int op)
{
    const struct bh_hello hello = {4711, S("bellhop-worker")};
    const struct bh_welcome welcome = {LOG_ID, 1042};
    const struct bh_note note = {7, 1040, 1042};
    const struct bh_noted noted = {7, 3};
    const struct bh_ping ping = {9};
    const struct bh_end end = {5, S("tasks"), S("org-1"), S("u-7")};
    const struct bh_ended ended = {5, 12};
    const struct bh_reload reload = {6, BH_RELOAD_CONF};
    const struct bh_reloaded reloaded = {6, true, 3, S("line 1\nline 2\n"),
                                         S("/l.db")};
    const uint32_t woken[] = {0, 25, 1};

    switch (op) {
    case BH_OP_HELLO:
        bh_hello_encode(b, &hello);
        break;
    case BH_OP_WELCOME:
        bh_welcome_encode(b, &welcome);
        break;
    case BH_OP_NOTE:
        bh_note_encode(b, &note);
        break;
    case BH_OP_NOTED:
        bh_noted_encode(b, &noted, woken);
        break;
    case BH_OP_PARK: {
        struct bh_park park = sample_park();
        bh_park_encode(b, &park);
        break;
    }
    case BH_OP_PING:
    case BH_OP_PONG:
        bh_ping_encode(b, (enum bh_op)op, &ping);
        break;
    case BH_OP_ERROR:
        bh_error_encode(b, "no more room");
        break;
    case BH_OP_END:
        bh_end_encode(b, &end);
        break;
    case BH_OP_ENDED:
        bh_ended_encode(b, &ended);
        break;
    case BH_OP_RELOAD:
        bh_reload_encode(b, &reload);
        break;
    case BH_OP_RELOADED:
        bh_reloaded_encode(b, &reloaded);
        break;
    default:
        ck_abort();
    }
}

static void
teardown(void)
{
    bh_buf_fini(&properties);
}

/* A valid message is refused at every shorter length, and one byte longer. */
START_TEST(truncations)
{
    struct bh_buf b = BH_BUF_INIT;

    sample(&b, _i);
    ck_assert(!b.failed);
    ck_assert_str_eq(judge(b.p, b.len), "accept");
    for (size_t len = 0; len < b.len; len++)
        ck_assert_str_eq(judge(b.p, len), len < 2 ? "none" : "refuse");
    bh_buf_u8(&b, 0);
    ck_assert_str_eq(judge(b.p, b.len), "refuse");
    bh_buf_fini(&b);
}
END_TEST

/* Any byte changed to any value: never a crash, and what passes is sound
 * (judge compares it with what the encoder makes of it). */
START_TEST(mutations)
{
    struct bh_buf b = BH_BUF_INIT;

    sample(&b, _i);
    for (size_t at = 0; at < b.len; at++) {
        char kept = b.p[at];
        for (int step = 1; step < 256; step += 2) {
            b.p[at] = (char)(kept ^ step);
            (void)judge(b.p, b.len);
        }
        b.p[at] = kept;
    }
    bh_buf_fini(&b);
}
END_TEST

/* Whichever allocation fails, the buffer says so. */
START_TEST(out_of_memory)
{
    size_t before = bh_mem_used();
    unsigned long n = 0;
    bool reached = true;

    while (reached) {
        struct bh_buf b = BH_BUF_INIT;
        bh_mem_fail_at(++n);
        sample(&b, _i);
        reached = !bh_mem_fail_at(0);
        if (!reached) ck_assert(!b.failed);
        bh_buf_fini(&b);
        bh_buf_fini(&properties);
        ck_assert_uint_eq(bh_mem_used(), before);
    }
    ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(a_failed_encode_says_so)
{
    struct bh_park m = sample_park();

    for (unsigned long n = 1; n <= 3; n++) {
        struct bh_buf b = BH_BUF_INIT;
        bh_mem_fail_at(n);
        bh_park_encode(&b, &m);
        ck_assert(b.failed == !bh_mem_fail_at(0));
        bh_buf_fini(&b);
    }
}
END_TEST

/* What comes in is what went out, and nothing shorter or longer passes. */
START_TEST(counts_come_through)
{
    struct bh_counts in = {.worker = {1, 2}, .refused = {0, 3}}, got;
    struct bh_buf b = BH_BUF_INIT;
    struct bh_reader r;

    bh_counts_encode(&b, &in);
    ck_assert_int_eq(bh_msg_open(&r, b.p, b.len), BH_OP_COUNT);
    ck_assert(bh_counts_decode(&r, &got));
    ck_assert_mem_eq(&in, &got, sizeof in);
    for (size_t len = 2; len < b.len; len++) {
        bh_msg_open(&r, b.p, len);
        ck_assert(!bh_counts_decode(&r, &got));
    }
    bh_buf_fini(&b);
}
END_TEST

START_TEST(reports_come_through)
{
    static struct bh_report in, got;
    struct bh_buf b = BH_BUF_INIT;
    struct bh_reader r;

    in.n_domains = BH_DOMAINS_MAX + 1;
    for (int i = 0; i < in.n_domains; i++) {
        memset(in.domains[i].name, 'a' + i % 26, BH_DOMAIN_MAX);
        in.domains[i].v[3] = (uint64_t)i;
        in.domains[i].latency.p99 = 7;
        in.domains[i].latency.within[2] = 9;
    }
    bh_stated_encode(&b, &in);
    ck_assert(!b.failed);
    ck_assert_uint_lt(b.len, BH_MSG_MAX);
    ck_assert_int_eq(bh_msg_open(&r, b.p, b.len), BH_OP_STATED);
    ck_assert(bh_stated_decode(&r, &got));
    ck_assert_mem_eq(&in, &got, sizeof in);
    for (size_t len = 2; len < b.len; len += 1 + len / 8) {
        bh_msg_open(&r, b.p, len);
        ck_assert(!bh_stated_decode(&r, &got));
    }
    bh_buf_u8(&b, 0);
    bh_msg_open(&r, b.p, b.len);
    ck_assert(!bh_stated_decode(&r, &got));
    bh_buf_fini(&b);
}
END_TEST

START_TEST(names_of_ops)
{
    ck_assert_str_eq(bh_op_name(BH_OP_HELLO), "HELLO");
    ck_assert_str_eq(bh_op_name(BH_OP_ERROR), "ERROR");
    ck_assert_ptr_null(bh_op_name(0));
    ck_assert_ptr_null(bh_op_name(16));
    ck_assert_ptr_null(bh_op_name(-1));
}
END_TEST

START_TEST(park_comes_through)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_park in = sample_park(), out;
    struct bh_reader r;

    bh_park_encode(&b, &in);
    ck_assert_int_eq(bh_msg_open(&r, b.p, b.len), BH_OP_PARK);
    ck_assert(bh_park_decode(&r, &out));
    ck_assert_uint_eq(out.request_id, 1);
    ck_assert_uint_eq(out.kind, BH_PARK_POLL);
    ck_assert(out.has_cursor);
    ck_assert(!out.all_properties);
    ck_assert_int_eq(out.cursor_seq, 1042);
    ck_assert_int_eq(out.expires_ms, 1795492201123);
    ck_assert_uint_eq(out.wait_ms, 25000);
    ck_assert_mem_eq(out.token_digest, in.token_digest, 16);
    ck_assert_mem_eq(out.cursor_log.p, LOG_ID, 16);
    ck_assert_mem_eq(out.client_id.p, "tab.1", 5);
    ck_assert_uint_eq(out.head.len, in.head.len);
    ck_assert_mem_eq(out.head.p, in.head.p, in.head.len);
    ck_assert_uint_eq(out.n_properties, 3);
    ck_assert_uint_eq(out.properties.len, in.properties.len);
    ck_assert_mem_eq(out.properties.p, in.properties.p, in.properties.len);
    bh_buf_fini(&b);
}
END_TEST

START_TEST(noted_counts_follow)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_reader r;
    struct bh_noted m;

    sample(&b, BH_OP_NOTED);
    ck_assert_int_eq(bh_msg_open(&r, b.p, b.len), BH_OP_NOTED);
    ck_assert(bh_noted_decode(&r, &m));
    ck_assert_uint_eq(m.n, 3);
    ck_assert_uint_eq(bh_read_u32(&r), 0);
    ck_assert_uint_eq(bh_read_u32(&r), 25);
    ck_assert_uint_eq(bh_read_u32(&r), 1);
    ck_assert(bh_reader_done(&r));
    bh_buf_fini(&b);
}
END_TEST

START_TEST(an_error_is_cut_to_its_limit)
{
    char text[BH_ERROR_TEXT_MAX + 100];
    struct bh_buf b = BH_BUF_INIT;
    struct bh_reader r;
    struct bh_str out;

    memset(text, 'e', sizeof text);
    text[sizeof text - 1] = '\0';
    bh_error_encode(&b, text);
    ck_assert_int_eq(bh_msg_open(&r, b.p, b.len), BH_OP_ERROR);
    ck_assert(bh_error_decode(&r, &out));
    ck_assert_uint_eq(out.len, BH_ERROR_TEXT_MAX);
    bh_buf_fini(&b);
}
END_TEST

START_TEST(nothing_over_the_message_limit)
{
    static char large[BH_MSG_MAX + 1] = {BH_PROTO_VERSION, BH_OP_PING};
    struct bh_reader r;

    ck_assert_int_eq(bh_msg_open(&r, large, BH_MSG_MAX), BH_OP_PING);
    ck_assert_int_eq(bh_msg_open(&r, large, BH_MSG_MAX + 1), 0);
}
END_TEST

/* What the other side would refuse isn't encoded in the first place. */
static bool
park_encodes(const struct bh_park *m)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_park_encode(&b, m);
    bool ok = !b.failed && b.len <= BH_MSG_MAX;
    bh_buf_fini(&b);
    return ok;
}

START_TEST(the_largest_park)
{
    static char x[BH_HEAD_MAX];
    struct bh_park m = sample_park();

    memset(x, 'x', sizeof x);
    m.domain = (struct bh_str){x, BH_DOMAIN_MAX};
    m.org = m.user = m.property = (struct bh_str){x, BH_NAME_MAX};
    m.client_id = (struct bh_str){x, BH_CLIENT_ID_MAX};
    m.origin = m.ua = (struct bh_str){x, BH_WORD_MAX};
    m.request_id_text = (struct bh_str){x, BH_REQUEST_ID_MAX};
    bh_buf_reset(&properties);
    for (int i = 0; i < BH_PROPERTIES_MAX; i++) {
        char name[BH_NAME_MAX + 1];
        snprintf(name, sizeof name, "%0*d", BH_NAME_MAX, i);
        bh_buf_lstr(&properties, name, BH_NAME_MAX);
    }
    m.properties = (struct bh_str){properties.p, properties.len};
    m.n_properties = BH_PROPERTIES_MAX;
    memcpy(x + sizeof x - 2, "\r\n", 2);
    m.head = (struct bh_str){x, BH_HEAD_MAX};
    ck_assert(park_encodes(&m));
    m.origin.len++;
    ck_assert(!park_encodes(&m));
}
END_TEST

START_TEST(encoders_judge_too)
{
    struct bh_park m = sample_park();
    struct bh_buf b = BH_BUF_INIT;
    const struct bh_note too_many = {1, 1, BH_GROUP_MAX + 1};
    const struct bh_noted too_long = {1, BH_GROUP_MAX + 1};
    const struct bh_welcome no_id = {"not a log id", 1};

    ck_assert(park_encodes(&m));
    m.head = (struct bh_str)S("X: 1\r\n\r\nbody\r\n");
    ck_assert(!park_encodes(&m));
    bh_note_encode(&b, &too_many);
    ck_assert(b.failed);
    bh_buf_reset(&b);
    bh_noted_encode(&b, &too_long, NULL);
    ck_assert(b.failed);
    bh_buf_reset(&b);
    bh_welcome_encode(&b, &no_id);
    ck_assert(b.failed);
    bh_buf_fini(&b);
}
END_TEST

Suite *
check_proto(void)
{
    Suite *s = suite_create("proto");
    TCase *tc = tcase_create("bytes");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, table_of_frames);
    tcase_add_loop_test(tc, truncations, BH_OP_HELLO, BH_OP_ERROR + 1);
    tcase_add_loop_test(tc, mutations, BH_OP_HELLO, BH_OP_ERROR + 1);
    tcase_add_loop_test(tc, out_of_memory, BH_OP_HELLO, BH_OP_ERROR + 1);
    tcase_add_loop_test(tc, truncations, BH_OP_END, BH_OP_RELOADED + 1);
    tcase_add_loop_test(tc, mutations, BH_OP_END, BH_OP_RELOADED + 1);
    tcase_add_loop_test(tc, out_of_memory, BH_OP_END, BH_OP_RELOADED + 1);
    tcase_add_test(tc, a_failed_encode_says_so);
    suite_add_tcase(s, tc);
    tc = tcase_create("meaning");
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, counts_come_through);
    tcase_add_test(tc, reports_come_through);
    tcase_add_test(tc, names_of_ops);
    tcase_add_test(tc, park_comes_through);
    tcase_add_test(tc, noted_counts_follow);
    tcase_add_test(tc, an_error_is_cut_to_its_limit);
    tcase_add_test(tc, nothing_over_the_message_limit);
    tcase_add_test(tc, the_largest_park);
    tcase_add_test(tc, encoders_judge_too);
    suite_add_tcase(s, tc);
    return s;
}
