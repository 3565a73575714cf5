#include "workerkit.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth.h"
#include "clock.h"
#include "fcgi/worker.h"
#include "fcgirec.h"
#include "log.h"
#include "mem.h"
#include "sock.h"

/* ---- the folder ---- */

static void
complain(void *arg BH_UNUSED, const char *message)
{
    fprintf(stderr, "%s\n", message);
}

static void
write_file(const struct workerkit *k, const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", k->dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fchmod(fileno(f), 0600), 0);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

void
wk_configure(struct workerkit *k, const char *more)
{
    struct bh_buf text = BH_BUF_INIT;

    bh_buf_fmt(
        &text,
        "log_level = \"info\"\n"
        "log { path = \"log.db\" sync = \"normal\" }\n"
        "broker { socket = \"broker.sock\" }\n"
        "worker { threads = 3 io_timeout_seconds = 2 refusals_kept = 100\n"
        "  broker_timeout_seconds = %d }\n"
        "key \"main\" { algorithm = \"HS256\" file = \"main.key\" }\n"
        "cors { origins_with_credentials = { \"https://app.example\" }\n"
        "  origins = { \"https://kiosk.example\" } }\n"
        "domain \"tasks\" { }\n"
        "domain \"old\" { legacy = true }\n"
        "domain \"off\" { enabled = false }\n%s",
        k->broker_seconds, more);
    write_file(k, "conf", bh_buf_cstr(&text));
    bh_buf_fini(&text);
}

static void
make_folder(struct workerkit *k)
{
    strcpy(k->dir, "/tmp/bellhop-worker.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(k->dir));
    snprintf(k->conf_path, sizeof k->conf_path, "%s/conf", k->dir);
    snprintf(k->socket, sizeof k->socket, "%s/worker.sock", k->dir);
    snprintf(k->broker, sizeof k->broker, "%s/broker.sock", k->dir);
    snprintf(k->log, sizeof k->log, "%s/log.db", k->dir);
    write_file(k, "main.key", "test-only-0123456789abcdef0123456789abcdef");
    wk_configure(k, "");
    k->conf = bh_conf_read(k->conf_path, complain, NULL);
    ck_assert_ptr_nonnull(k->conf);
}

/* ---- the processes ---- */

/* Collects what comes from FD until nobody writes any more, and prints it
 * unless FINISHED has said that the test went well. */
static void
watch(int fd, int finished)
{
    struct bh_buf text = BH_BUF_INIT;
    char byte;
    ssize_t n;

    do {
        char *room = bh_buf_reserve(&text, 4096);
        n = room != NULL ? read(fd, room, 4096) : 0;
        if (n > 0) text.len += (size_t)n;
    } while (n > 0);
    if (read(finished, &byte, 1) != 1) fwrite(text.p, 1, text.len, stderr);
    bh_buf_fini(&text);
    _exit(0);
}

/* Returns where to write for it. In a group of its own, since Check kills that
 * of a test. */
static int
start_watcher(struct workerkit *k)
{
    int words[2], end[2];

    ck_assert_int_eq(pipe(words), 0);
    ck_assert_int_eq(pipe(end), 0);
    k->watcher = fork();
    ck_assert_int_ge(k->watcher, 0);
    if (k->watcher == 0) {
        setpgid(0, 0);
        close(words[1]);
        close(end[1]);
        watch(words[0], end[0]);
    }
    close(words[0]);
    close(end[0]);
    k->finished = end[1];
    return words[1];
}

static void
start_worker(struct workerkit *k, int words)
{
    int listener = bh_sock_listen(k->socket, SOCK_STREAM, 0660, 64);

    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bh_sock_nonblock(listener), 0); /* some web servers do */
    k->worker = fork();
    ck_assert_int_ge(k->worker, 0);
    if (k->worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(words, STDERR_FILENO);
        close(words);
        close(k->finished);
        bh_conf_free(k->conf);
        bh_log_open("worker", false);
        struct bh_setup *s = bh_setup_read(k->conf_path, complain, NULL);
        if (s == NULL) exit(78);
        bh_log_level(s->conf->log_level);
        int rc = bh_worker_run(listener, k->socket, k->conf_path, s);
        close(listener);
        exit(rc);
    }
    close(listener);
}

/* Until it answers it hasn't seen to its signals either. */
static void
wait_for_worker(struct workerkit *k)
{
    struct fcgi_answer a = fcgi_read(
        fcgi_ask(k->socket, "GET", "/healthz?live", NULL, NULL), WK_MS);

    ck_assert_int_eq(a.status, 200);
    fcgi_answer_fini(&a);
}

static void
open_kit(struct workerkit *k, int broker_seconds)
{
    *k = (struct workerkit){.broker_listener = -1,
                            .broker_seconds = broker_seconds};
    make_folder(k);
    int words = start_watcher(k);
    start_worker(k, words);
    close(words);
    wait_for_worker(k);
}

void
wk_open(struct workerkit *k)
{
    open_kit(k, 10 * WK_MS / 1000);
}

void
wk_open_impatient(struct workerkit *k)
{
    open_kit(k, 1);
}

int
wk_descriptors(struct workerkit *k)
{
    char path[64];
    int n = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)k->worker);
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL) n++;
    closedir(d);
    return n - 2; /* . and .. */
}

int
wk_stop(struct workerkit *k)
{
    int64_t began = bh_now_ms();
    int status = -1;
    pid_t gone = 0;

    ck_assert_int_eq(kill(k->worker, SIGTERM), 0);
    while (gone == 0 && bh_now_ms() < began + WK_MS) {
        gone = waitpid(k->worker, &status, WNOHANG);
        if (gone == 0) poll(NULL, 0, 5);
    }
    ck_assert_int_eq(gone, k->worker);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the worker left with %#x", (unsigned)status);
    k->worker = 0;
    return (int)(bh_now_ms() - began);
}

void
wk_close(struct workerkit *k)
{
    char command[128];

    /* It sends its last counts to a broker that is there. */
    if (k->broker_listener >= 0) close(k->broker_listener);
    while (k->n_conns > 0) close(k->conns[--k->n_conns]);
    if (k->worker > 0) wk_stop(k);
    ck_assert_int_eq(write(k->finished, "", 1), 1);
    close(k->finished);
    ck_assert_int_eq(waitpid(k->watcher, NULL, 0), k->watcher);
    bh_conf_free(k->conf);
    snprintf(command, sizeof command, "rm -r '%s'", k->dir);
    ck_assert_int_eq(system(command), 0);
}

/* ---- tokens ---- */

const char *
wk_token(struct workerkit *k, const char *org, const char *property,
         const char *scope)
{
    static char tokens[8][1024];
    static unsigned next;
    char *out = tokens[next++ % 8];
    char err[256];
    struct bh_grant g = {.user = "u1",
                         .org = org,
                         .properties = property ? &property : NULL,
                         .n_properties = property ? 1 : 0,
                         .scopes = scope ? &scope : NULL,
                         .n_scopes = scope ? 1 : 0,
                         .ttl_s = 600};

    char *jwt = bh_auth_sign(k->conf, &g, err, sizeof err);
    ck_assert_msg(jwt != NULL, "%s", err);
    snprintf(out, sizeof tokens[0], "Bearer %s", jwt);
    bh_free(jwt);
    return out;
}

const char *
wk_publisher(struct workerkit *k)
{
    return wk_token(k, NULL, NULL, "realtime:publish");
}

/* ---- the broker ---- */

void
wk_broker_listen(struct workerkit *k)
{
    k->broker_listener = bh_sock_listen(k->broker, SOCK_SEQPACKET, 0660, 64);
    ck_assert_int_ge(k->broker_listener, 0);
}

bool
wk_quiet(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 0;
}

static void
welcome(int fd)
{
    struct bh_welcome m = {.log_id = "0123456789abcdef", .head = 0};
    struct bh_buf b = BH_BUF_INIT;

    bh_welcome_encode(&b, &m);
    ck_assert_int_eq(bh_sock_send(fd, b.p, b.len, -1, 0), 0);
    bh_buf_fini(&b);
}

void
wk_broker_greet(struct workerkit *k)
{
    char packet[BH_MSG_MAX];
    struct bh_reader r;
    struct bh_hello hello;
    int passed;

    ck_assert(!wk_quiet(k->broker_listener, WK_MS));
    int fd = accept4(k->broker_listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_lt(k->n_conns, WK_CONNS);
    wk_broker_expect(fd, BH_OP_HELLO, packet, &r, &passed);
    ck_assert(bh_hello_decode(&r, &hello));
    ck_assert_int_eq((int)hello.pid, k->worker);
    welcome(fd);
    k->conns[k->n_conns++] = fd;
}

/* Of the first message that isn't counts; 0: none yet, -1: it has ended. */
static int
first_op(int fd)
{
    char packet[BH_MSG_MAX];
    struct bh_reader r;

    for (;;) {
        ssize_t n = recv(fd, packet, sizeof packet, MSG_PEEK | MSG_DONTWAIT);
        if (n <= 0) return n < 0 && errno == EAGAIN ? 0 : -1;
        int op = bh_msg_open(&r, packet, (size_t)n);
        if (op != BH_OP_COUNT) return op;
        ck_assert_int_eq(recv(fd, packet, sizeof packet, MSG_DONTWAIT), n);
    }
}

static int
take_connection(struct workerkit *k, int op)
{
    for (int i = 0; i < k->n_conns; i++) {
        int fd = k->conns[i], first = first_op(fd);
        if (first != op && first >= 0) continue;
        k->conns[i--] = k->conns[--k->n_conns];
        if (first == op) return fd;
        close(fd);
    }
    return -1;
}

int
wk_broker_accept(struct workerkit *k, int op)
{
    int64_t till = bh_now_ms() + WK_MS;
    int fd;

    while ((fd = take_connection(k, op)) < 0) {
        ck_assert_msg(bh_now_ms() < till, "nobody sent %s", bh_op_name(op));
        if (!wk_quiet(k->broker_listener, 1)) wk_broker_greet(k);
    }
    return fd;
}

void
wk_broker_expect(int fd, int op, char *packet, struct bh_reader *r, int *passed)
{
    int got;

    do {
        ck_assert_msg(!wk_quiet(fd, WK_MS), "no %s came", bh_op_name(op));
        ssize_t n = bh_sock_recv(fd, packet, BH_MSG_MAX, passed, MSG_DONTWAIT);
        ck_assert_int_gt(n, 0);
        got = bh_msg_open(r, packet, (size_t)n);
    } while (got == BH_OP_COUNT && op != BH_OP_COUNT);
    ck_assert_int_eq(got, op);
}

int64_t
wk_broker_note(int fd, int64_t n, uint32_t woken)
{
    char packet[BH_MSG_MAX];
    struct bh_reader r;
    struct bh_note note;
    struct bh_buf b = BH_BUF_INIT;
    uint32_t counts[BH_BATCH_MAX];
    int passed;

    wk_broker_expect(fd, BH_OP_NOTE, packet, &r, &passed);
    ck_assert_int_eq(passed, -1);
    ck_assert(bh_note_decode(&r, &note));
    ck_assert_int_eq(note.last - note.first + 1, n);
    for (int64_t i = 0; i < n; i++) counts[i] = woken;
    struct bh_noted m = {note.tag, (uint32_t)n};
    bh_noted_encode(&b, &m, counts);
    ck_assert_int_eq(bh_sock_send(fd, b.p, b.len, -1, 0), 0);
    bh_buf_fini(&b);
    return note.first;
}

void
wk_broker_answer(int fd, uint16_t request_id, const char *body)
{
    struct bh_buf text = BH_BUF_INIT;
    struct bh_buf out = BH_BUF_INIT;

    bh_buf_fmt(&text,
               "Status: 200 OK\r\nContent-Type: application/json\r\n\r\n%s",
               body);
    bh_fcgi_stream(&out, BH_FCGI_STDOUT, request_id, text.p, text.len);
    bh_fcgi_end(&out, request_id);
    fcgi_write(fd, &out);
    close(fd);
    bh_buf_fini(&text);
    bh_buf_fini(&out);
}
