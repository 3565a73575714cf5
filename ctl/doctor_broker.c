/* doctor_broker.c: the broker: its socket, its answer, what it counts. */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "log.h"
#include "sock.h"

#define ANSWER_MS 3000
#define LAG_MS    2000 /* it looks at the log ten times a second */

/* ---- its socket ---- */

/* broker.users, root and the broker's own user are let in. */
static bool
is_let_in(const struct bh_doctor *d, const struct bh_credentials *who)
{
    if (who->uid == 0) return true;
    if (d->n_brokers > 0 && d->brokers[0].who.uid == who->uid) return true;
    for (size_t i = 0; i < d->conf->broker.n_users; i++) {
        const struct passwd *pw = getpwnam(d->conf->broker.users[i]);
        if (pw != NULL && pw->pw_uid == who->uid) return true;
    }
    return false;
}

static void
weigh_worker(struct bh_doctor *d, const struct bh_member *w)
{
    const char *path = d->conf->broker.socket;
    size_t at;
    int rc = bh_may(&w->who, path, W_OK, &at);

    if (rc == -ENOSYS)
        bh_tell(d, BH_SKIPPED, NULL,
                "whether worker %ld may connect: run this as root",
                (long)w->pid);
    else if (rc < 0)
        bh_tell(d, BH_WRONG, "put that user into the socket's group",
                "worker %ld (%s) may not connect to %s: %s at %.*s",
                (long)w->pid, w->who.name, path, strerror(-rc), (int)at, path);
    else if (!is_let_in(d, &w->who))
        bh_tell(d, BH_WRONG, "name it in broker { users }, then reload",
                "the broker turns away worker %ld, who is %s", (long)w->pid,
                w->who.name);
    else
        bh_tell(d, BH_FINE, NULL, "worker %ld (%s) may connect to %s",
                (long)w->pid, w->who.name, path);
}

void
bh_check_broker_socket(struct bh_doctor *d)
{
    struct stat st;

    if (d->conf == NULL) {
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
        return;
    }
    const char *path = d->conf->broker.socket;
    errno = 0;
    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        bh_tell(d, BH_WRONG, "start bellhopd with this configuration", "%s: %s",
                path, errno == EACCES ? strerror(errno) : "there is no socket");
        return;
    }
    if ((st.st_mode & S_IWOTH) != 0)
        bh_tell(d, BH_DOUBTFUL, "chmod o= it",
                "%s (%04o): any user may connect; the broker then asks who",
                path, (unsigned)st.st_mode & 07777);
    if (d->n_workers == 0)
        bh_tell(d, BH_SKIPPED, NULL, "no worker was found to try it for");
    for (size_t i = 0; i < d->n_workers; i++) weigh_worker(d, &d->workers[i]);
}

/* ---- its answer ---- */

static void
tell_other_words(struct bh_doctor *d, struct bh_reader *r, int op)
{
    static const char remedy[] =
        "restart broker and workers: they must be of one build";
    struct bh_str text;
    char word[BH_ERROR_TEXT_MAX];

    if (op == BH_OP_ERROR && bh_error_decode(r, &text))
        bh_tell(d, BH_WRONG, remedy, "it says: %s",
                bh_log_word(word, sizeof word, text.p, text.len));
    else
        bh_tell(d, BH_WRONG, remedy,
                "it speaks another version of the protocol than this program "
                "(%d)",
                BH_PROTO_VERSION);
}

/* RC is what became of saying or hearing something. */
static void
tell_silence(struct bh_doctor *d, int rc)
{
    if (rc == -ECONNRESET || rc == -EPIPE)
        bh_tell(d, BH_WRONG, "name your user in broker { users }, or be root",
                "it closes the connection at once");
    else
        bh_tell(d, BH_WRONG,
                "see what it does (top, its log); restart it if it hangs: "
                "nothing is lost",
                "no answer within %d s: %s", ANSWER_MS / 1000, strerror(-rc));
}

/* One packet of OP; false: told why it isn't. SAID: whether the question got
 * there. */
static bool
hear(struct bh_doctor *d, int fd, int said, enum bh_op op, struct bh_reader *r)
{
    static char packet[BH_MSG_MAX];
    int got = said < 0 ? said : bh_hear(fd, packet, sizeof packet, r, 0);

    if (got < 0)
        tell_silence(d, got);
    else if (got != (int)op)
        tell_other_words(d, r, got);
    return got == (int)op;
}

static bool
greet(struct bh_doctor *d, int fd, struct bh_welcome *w)
{
    struct bh_reader r;
    int said = bh_say_hello(fd, "bellhopctl");

    return hear(d, fd, said, BH_OP_WELCOME, &r) && bh_welcome_decode(&r, w);
}

static bool
ask_figures(struct bh_doctor *d, int fd)
{
    struct bh_buf m = BH_BUF_INIT;
    struct bh_reader r;

    bh_stats_encode(&m);
    if (!hear(d, fd, bh_say(fd, &m), BH_OP_STATED, &r)) return false;
    if (bh_stated_decode(&r, d->report)) return true;
    tell_other_words(d, &r, 0);
    return false;
}

/* A connection that was greeted, or -1: told why. */
static int
open_broker(struct bh_doctor *d, struct bh_welcome *w)
{
    const char *path = d->conf->broker.socket;
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    if (fd < 0) {
        bh_tell(d, fd == -EACCES ? BH_SKIPPED : BH_WRONG,
                fd == -EACCES ? "run this as root" : "start bellhopd", "%s: %s",
                path, fd == -ECONNREFUSED ? "nobody serves it" : strerror(-fd));
        return -1;
    }
    bh_sock_timeouts(fd, ANSWER_MS);
    if (greet(d, fd, w)) return fd;
    close(fd);
    return -1;
}

/* ---- what it follows ---- */

static bool
keeps_up(struct bh_doctor *d)
{
    int64_t until = bh_now_ms() + LAG_MS;
    struct bh_welcome w;
    struct bh_span span = {0, 0};

    if (bh_store_span(d->log, &span) < 0) return true;
    do {
        int fd = open_broker(d, &w);
        if (fd < 0) return true; /* told */
        close(fd);
        if (w.head >= span.head) return true;
        usleep(100000);
    } while (bh_now_ms() < until);
    bh_tell(d, BH_WRONG,
            "see its log for what fails in reading; then restart it",
            "it has read up to %" PRId64 ", the log ends at %" PRId64, w.head,
            span.head);
    return false;
}

void
bh_check_broker(struct bh_doctor *d)
{
    struct bh_welcome w;

    if (d->conf == NULL) {
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
        return;
    }
    int fd = open_broker(d, &w);
    if (fd < 0) return;
    d->broker_up = ask_figures(d, fd);
    d->report->broker_up = d->broker_up;
    close(fd);
    if (!d->broker_up) return;
    if (d->log != NULL && strcmp(w.log_id, bh_store_log_id(d->log)) != 0) {
        bh_tell(d, BH_WRONG, "give both the same log.path; restart the broker",
                "it follows another log than the one of this configuration");
        return;
    }
    if (d->log == NULL || keeps_up(d))
        bh_tell(d, BH_FINE, NULL,
                "answers, up for %" PRIu64 " s, has read up to %" PRId64,
                d->report->broker[BH_M_BROKER_UPTIME], w.head);
}
