#include "base.h"
#include "brokerkit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/follow.h"
#include "broker/waiter.h"
#include "clock.h"
#include "fcgirec.h"
#include "mem.h"

static void
complain(void *arg, const char *message)
{
    (void)arg;
    fprintf(stderr, "%s\n", message);
}

static struct bh_conf *
make_conf(struct kit *k, const char *lines)
{
    char path[96];
    FILE *f;

    snprintf(path, sizeof path, "%s/conf", k->dir);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f,
            "log_level = \"error\"\nlog { path = \"log.db\" }\n"
            "broker { socket = \"b.sock\"\n%s\n}\n"
            "key \"k\" { algorithm = \"HS256\" file = \"k\" }\n"
            "domain \"tasks\" { }\n",
            lines);
    ck_assert_int_eq(fclose(f), 0);
    struct bh_conf *c = bh_conf_read(path, complain, NULL);
    ck_assert_ptr_nonnull(c);
    return c;
}

void
kit_open(struct kit *k, const char *lines)
{
    memset(k, 0, sizeof *k);
    strcpy(k->dir, "/tmp/bellhop-kit.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(k->dir));
    snprintf(k->path, sizeof k->path, "%s/log.db", k->dir);
    k->now = 1000000;
    k->wall = 1763900000000;
    k->org = "o1";
    bh_clock_fake(k->now, k->wall);
    bh_log_level(BH_ERROR);
    ck_assert_int_eq(bh_store_open_writer(&k->log, k->path, BH_SYNC_NORMAL), 0);
    ck_assert_int_eq(bh_broker_init(&k->b, make_conf(k, lines)), 0);
    kit_turn(k);
    ck_assert_str_eq(k->b.log_id, bh_store_log_id(k->log));
}

void
kit_close(struct kit *k)
{
    char command[128];

    ck_assert(bh_broker_valid(&k->b));
    bh_broker_fini(&k->b);
    bh_store_close(k->log);
    snprintf(command, sizeof command, "rm -r '%s'", k->dir);
    ck_assert_int_eq(system(command), 0);
    bh_clock_real();
}

static bool
never_same(struct bh_str a, struct bh_str b)
{
    (void)a;
    (void)b;
    return false;
}

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, s ? strlen(s) : 0};
}

int64_t
kit_publish(struct kit *k, int n, const char *property)
{
    int64_t seq = 0;

    ck_assert_int_eq(bh_store_begin(k->log), 0);
    for (int i = 0; i < n; i++) {
        char id[32], body[128];
        enum bh_stored what;
        struct bh_row r = {.domain = str("tasks"),
                           .org = str(k->org),
                           .property = str(property),
                           .event_type = str("T"),
                           .publisher = str("test")};

        snprintf(id, sizeof id, "e%lld", (long long)++k->next_event);
        snprintf(body, sizeof body, "{\"eventId\":\"%s\"}", id);
        r.event_id = str(id);
        r.body = str(body);
        ck_assert_int_eq(bh_store_append(k->log, &r, never_same, &seq, &what),
                         0);
        ck_assert_int_eq(what, BH_STORED);
    }
    ck_assert_int_eq(bh_store_commit(k->log), 0);
    return seq;
}

void
kit_sleep(struct kit *k, int64_t ms)
{
    k->now += ms;
    k->wall += ms;
    bh_clock_fake(k->now, k->wall);
}

void
kit_turn(struct kit *k)
{
    ck_assert_int_eq(bh_loop_turn(&k->b.loop, 0), 0);
    k->b.unread = true;
    bh_broker_before_wait(&k->b);
    while (k->b.behind) bh_broker_before_wait(&k->b);
    ck_assert(bh_broker_valid(&k->b));
}

void
kit_watch(struct kit *k)
{
    kit_sleep(k, 300);
    kit_turn(k);
}

struct bh_park
kit_park(struct kit *k)
{
    return (struct bh_park){.request_id = 1,
                            .kind = BH_PARK_POLL,
                            .all_properties = true,
                            .expires_ms = k->wall + 3600000,
                            .wait_ms = BH_WAIT_DEFAULT,
                            .token_digest = "0123456789abcde",
                            .domain = str("tasks"),
                            .org = str("o1"),
                            .user = str("u1"),
                            .client_id = str(""),
                            .property = str(""),
                            .origin = str("-"),
                            .ua = str("-"),
                            .request_id_text = str("req-1"),
                            .cursor_log = str(""),
                            .head = str("Vary: Origin\r\n"),
                            .properties = str("")};
}

void
kit_cursor(struct kit *k, struct bh_park *p, int64_t seq)
{
    p->has_cursor = true;
    p->cursor_seq = seq;
    p->cursor_log = str(k->b.log_id);
}

void
kit_filter(struct bh_park *p, const char *property)
{
    static struct bh_buf b;

    bh_buf_reset(&b);
    bh_buf_lstr(&b, property, strlen(property));
    p->all_properties = false;
    p->n_properties = 1;
    p->properties = (struct bh_str){b.p, b.len};
}

int
kit_send(struct kit *k, const struct bh_park *p)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    bh_park(&k->b, p, pair[0]);
    return pair[1];
}

/* Take STDOUT's content out of the records; false while the end is missing. */
static bool
unframe(struct bh_buf *out, const struct bh_buf *in)
{
    for (size_t at = 0; at + BH_FCGI_HEADER <= in->len;) {
        const unsigned char *h = (const unsigned char *)in->p + at;
        size_t len = (size_t)h[4] << 8 | h[5];

        if (at + BH_FCGI_HEADER + len > in->len) return false;
        if (h[1] == BH_FCGI_END_REQUEST) return true;
        if (h[1] == BH_FCGI_STDOUT) bh_buf_add(out, h + BH_FCGI_HEADER, len);
        at += BH_FCGI_HEADER + len + h[6];
    }
    return false;
}

static void
split(struct kit_answer *a, struct bh_buf *text)
{
    char *end = strstr((char *)(uintptr_t)bh_buf_cstr(text), "\r\n\r\n");

    ck_assert_ptr_nonnull(end);
    *end = '\0';
    snprintf(a->head, sizeof a->head, "%s", text->p);
    ck_assert_int_eq(sscanf(a->head, "Status: %d", &a->status), 1);
    free(a->body);
    a->body = strdup(end + 4);
    for (const char *p = a->body; (p = strstr(p, "\"eventId\"")); p++)
        a->events++;
}

struct kit_answer
kit_read(int fd)
{
    struct kit_answer a = {.body = strdup("")};
    struct bh_buf raw = BH_BUF_INIT, text = BH_BUF_INIT;
    char part[65536];
    ssize_t n;

    while ((n = recv(fd, part, sizeof part, MSG_DONTWAIT)) > 0)
        bh_buf_add(&raw, part, (size_t)n);
    if (unframe(&text, &raw))
        split(&a, &text);
    else if (n == 0)
        a.status = -1;
    if (a.status != 0) close(fd);
    bh_buf_fini(&raw);
    bh_buf_fini(&text);
    return a;
}

int64_t
kit_answer_cursor(const struct kit_answer *a)
{
    const char *p = strstr(a->body, "\"cursor\":\"");

    if (!p || !(p = strchr(p, '-'))) return -1;
    return strtoll(p + 1, NULL, 10);
}
