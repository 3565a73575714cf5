#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "caller.h"
#include "log.h"
#include "sock.h"

#define ANSWER_MS 10000 /* a broker may be sending thousands of answers */

static int
code_of(int rc)
{
    switch (rc) {
    case -EACCES:
    case -EPERM:
        return EX_NOPERM;
    case -EBUSY:
        return EX_TEMPFAIL;
    default:
        return EX_UNAVAILABLE;
    }
}

/* ---- the tables ---- */

struct bh_store *
bh_ctl_read(const struct bh_conf *conf, int *code)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, conf->log.path);

    *code = EX_OK;
    if (rc == 0) return s;
    fprintf(stderr, "bellhopctl: %s\n", bh_store_error(NULL));
    *code = code_of(rc);
    return NULL;
}

static int
edit_log(struct bh_store *s, bh_ctl_edit *edit, void *arg)
{
    int rc = bh_store_begin(s);

    if (rc < 0) return rc;
    rc = edit(s, arg);
    if (rc == 0) return bh_store_commit(s);
    bh_store_rollback(s);
    return rc;
}

int
bh_ctl_announce(const char *log_path, const struct bh_ctlchange *c)
{
    struct timespec stale = {0, 2 * BH_CTLPAGE_STALE_US * 1000};
    int rc = bh_ctlpage_change(log_path, c);

    if (rc == 0) {
        nanosleep(&stale, NULL); /* then every process looks before it serves */
        return EX_OK;
    }
    fprintf(stderr,
            "bellhopctl: %s.control: %s; run it as root or as the "
            "workers' user\n",
            log_path, strerror(-rc));
    return code_of(rc);
}

/* A log that isn't there is not laid here: it would be ours, and not the
 * workers'. */
int
bh_ctl_write(const struct bh_conf *conf, bh_ctl_edit *edit, void *arg)
{
    struct bh_ctlchange c = bh_ctlchange_none;
    struct bh_store *s;
    int code;

    bh_store_close(s = bh_ctl_read(conf, &code));
    if (s == NULL) return code;
    int rc = bh_store_open_writer(&s, conf->log.path, conf->log.sync);
    if (rc == 0) rc = edit_log(s, edit, arg);
    if (rc < 0) fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
    bh_store_close(s);
    if (rc < 0) return code_of(rc);
    c.rules = true;
    return bh_ctl_announce(conf->log.path, &c);
}

static int
deny(struct bh_store *s, void *arg)
{
    return bh_store_deny(s, arg);
}

int
bh_ctl_deny(const struct bh_conf *conf, const struct bh_denied *d)
{
    struct bh_denied copy = *d;

    return bh_ctl_write(conf, deny, &copy);
}

/* ---- the broker ---- */

static const char *
why_not(int got)
{
    if (got == -ECONNRESET) return "it closed the connection";
    return got < 0 ? strerror(-got) : "it is of another build";
}

/* One packet, which must be OP; R is at its fields. */
static int
receive(int fd, enum bh_op op, char *packet, struct bh_reader *r)
{
    struct bh_str text;
    char word[BH_ERROR_TEXT_MAX];
    int got = bh_hear(fd, packet, BH_MSG_MAX, r, 0);

    if (got == (int)op) return 1;
    if (got == BH_OP_ERROR && bh_error_decode(r, &text))
        fprintf(stderr, "bellhopctl: the broker says: %s\n",
                bh_log_word(word, sizeof word, text.p, text.len));
    else
        fprintf(stderr,
                "bellhopctl: no answer from the broker: %s; its log may say "
                "why\n",
                why_not(got));
    return -1;
}

/* 1 where RC says that something was said, else -1. */
static int
said(int rc)
{
    if (rc == 0) return 1;
    fprintf(stderr, "bellhopctl: the broker: %s\n", strerror(-rc));
    return -1;
}

static int
greet(int fd, char *packet)
{
    struct bh_reader r;
    int rc = said(bh_say_hello(fd, "bellhopctl"));

    return rc > 0 ? receive(fd, BH_OP_WELCOME, packet, &r) : rc;
}

/* A connection, 0 where nobody listens, or -1. */
static int
dial(const struct bh_conf *conf, int *fd, char *packet)
{
    *fd = bh_sock_dial(conf->broker.socket, SOCK_SEQPACKET);
    if (*fd == -ENOENT || *fd == -ECONNREFUSED) return 0;
    if (*fd < 0) {
        fprintf(stderr,
                "bellhopctl: %s: %s; name your user in broker { users "
                "}, or run it as root\n",
                conf->broker.socket, strerror(-*fd));
        return -1;
    }
    bh_sock_timeouts(*fd, ANSWER_MS);
    int rc = greet(*fd, packet);
    if (rc < 0) close(*fd);
    return rc;
}

/* Say M, which is freed, and take the answer OP. */
static int
ask(const struct bh_conf *conf, struct bh_buf *m, enum bh_op op, char *packet,
    struct bh_reader *r)
{
    int fd, rc = dial(conf, &fd, packet);

    if (rc <= 0) {
        bh_buf_fini(m);
        return rc;
    }
    rc = said(bh_say(fd, m));
    if (rc > 0) rc = receive(fd, op, packet, r);
    close(fd);
    return rc;
}

static int
malformed(void)
{
    fprintf(stderr, "bellhopctl: the broker is of another build\n");
    return -1;
}

int
bh_ctl_end(const struct bh_conf *conf, const struct bh_end *end, uint32_t *n)
{
    static char packet[BH_MSG_MAX];
    struct bh_buf m = BH_BUF_INIT;
    struct bh_reader r;
    struct bh_ended ended;

    bh_end_encode(&m, end);
    int rc = ask(conf, &m, BH_OP_ENDED, packet, &r);
    if (rc <= 0) return rc;
    if (!bh_ended_decode(&r, &ended)) return malformed();
    *n = ended.n;
    return 1;
}

int
bh_ctl_reload(const struct bh_conf *conf, enum bh_reload_what what,
              struct bh_reloaded *out, struct bh_buf *text, struct bh_buf *log)
{
    static char packet[BH_MSG_MAX];
    struct bh_reload reload = {1, (uint8_t)what};
    struct bh_buf m = BH_BUF_INIT;
    struct bh_reader r;

    bh_reload_encode(&m, &reload);
    int rc = ask(conf, &m, BH_OP_RELOADED, packet, &r);
    if (rc <= 0) return rc;
    if (!bh_reloaded_decode(&r, out)) return malformed();
    bh_buf_add(text, out->text.p, out->text.len);
    bh_buf_add(log, out->log.p, out->log.len);
    out->text = (struct bh_str){text->p, text->len};
    out->log = (struct bh_str){log->p, log->len};
    return 1;
}

int
bh_ctl_stats(const struct bh_conf *conf, struct bh_report *out)
{
    static char packet[BH_MSG_MAX];
    struct bh_buf m = BH_BUF_INIT;
    struct bh_reader r;

    bh_stats_encode(&m);
    int rc = ask(conf, &m, BH_OP_STATED, packet, &r);
    if (rc > 0 && !bh_stated_decode(&r, out)) return malformed();
    return rc;
}

void
bh_ctl_enforce(const struct bh_conf *conf)
{
    struct bh_buf text = BH_BUF_INIT, log = BH_BUF_INIT;
    struct bh_reloaded done;
    int rc = bh_ctl_reload(conf, BH_RELOAD_RULES, &done, &text, &log);

    if (rc > 0)
        printf("%u waiting requests were ended\n", done.ended);
    else if (rc == 0)
        fputs("no broker runs now; it will know when it starts\n", stdout);
    else
        fputs("bellhopctl: the broker will see it within seconds\n", stderr);
    bh_buf_fini(&text);
    bh_buf_fini(&log);
}

/* ---- words ---- */

struct bh_str
bh_ctl_name(const char *option, const char *text)
{
    struct bh_str name = {text, strlen(text)};
    bool good = name.len > 0 && name.len <= BH_NAME_MAX;

    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) good = false;
    if (good) return name;
    fprintf(stderr,
            "bellhopctl: %s takes a name of 1 to %d bytes without control "
            "characters\n",
            option, BH_NAME_MAX);
    exit(EX_USAGE);
}

int64_t
bh_ctl_duration(const char *option, const char *text)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'\0', 1}};
    const int64_t max = 100LL * 365 * 86400;
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; i < bh_countof(units); i++)
        if (errno == 0 && end != text && *end == units[i].unit &&
            (*end == '\0' || end[1] == '\0') && n > 0 &&
            n <= max / units[i].seconds)
            return n * units[i].seconds;
    fprintf(stderr, "bellhopctl: %s takes a time such as 90s, 15m, 8h or 30d\n",
            option);
    exit(EX_USAGE);
}

const char *
bh_ctl_time(char out[32], int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, 32, "?");
    return out;
}
