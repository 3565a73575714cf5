/* doctor_worker.c: the worker: its socket, for the web server; its answer. */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS     5000
#define WEB_USERS_MAX 16

/* Those who serve HTTP here. */
struct web {
    struct bh_credentials who;
    pid_t pid; /* 0: only a user */
    char name[32];
};
struct webs {
    struct web v[WEB_USERS_MAX];
    size_t n;
};

static bool
is_web_server(pid_t pid, char name[32])
{
    static const char *const known[] = {"lighttpd", "nginx", "apache2",
                                        "httpd"};
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    FILE *f = fopen(path, "re");
    bool read = f != NULL && fgets(name, 32, f) != NULL;
    if (f != NULL) fclose(f);
    if (!read) return false;
    name[strcspn(name, "\n")] = '\0';
    for (size_t i = 0; i < bh_countof(known); i++)
        if (strcmp(name, known[i]) == 0) return true;
    return false;
}

/* One of each program and user is enough: that with the least room. A master
 * that is root can do everything; it is its children who connect. */
static void
add_web(struct webs *w, pid_t pid)
{
    struct web fresh = {.pid = pid};

    if (!is_web_server(pid, fresh.name) ||
        !bh_credentials_of_process(&fresh.who, pid))
        return;
    for (size_t i = 0; i < w->n; i++) {
        struct web *known = &w->v[i];
        if (strcmp(known->name, fresh.name) != 0) continue;
        bool tighter = bh_descriptor_limit(pid, false) <
                       bh_descriptor_limit(known->pid, false);
        if (known->who.uid == fresh.who.uid ? tighter : known->who.uid == 0)
            *known = fresh;
        if (known->who.uid == fresh.who.uid || fresh.who.uid == 0) return;
    }
    if (w->n < WEB_USERS_MAX) w->v[w->n++] = fresh;
}

static void
find_webs(struct bh_doctor *d, struct webs *w)
{
    struct dirent *e;

    w->n = 0;
    if (d->web_user != NULL) {
        struct web *one = &w->v[0];
        *one = (struct web){.name = "--web-user"};
        if (bh_credentials_of_user(&one->who, d->web_user))
            w->n = 1;
        else
            bh_tell(d, BH_WRONG, "name another with --web-user",
                    "there is no user %s", d->web_user);
        return;
    }
    DIR *dir = opendir("/proc");
    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]))
            add_web(w, (pid_t)atol(e->d_name));
    if (dir != NULL) closedir(dir);
}

/* A service with a /tmp of its own (PrivateTmp) doesn't see a socket there. */
static bool
is_out_of_sight(const struct web *w, const char *path)
{
    char there[4096];

    if (w->pid == 0 || *path != '/') return false;
    snprintf(there, sizeof there, "/proc/%ld/root", (long)w->pid);
    if (access(there, X_OK) != 0) return false; /* nobody tells us */
    snprintf(there, sizeof there, "/proc/%ld/root%s", (long)w->pid, path);
    return access(there, F_OK) != 0 && errno == ENOENT;
}

/* 1: it can; 0: it can't, which was told; -1: skipped. */
static int
weigh_web(struct bh_doctor *d, const struct web *w, enum bh_verdict v)
{
    const char *path = bh_worker_socket(d);
    size_t at;
    int rc = bh_may(&w->who, path, W_OK, &at);

    if (rc == -ENOSYS) {
        bh_tell(d, BH_SKIPPED, NULL,
                "whether %s (%s) may connect: run this as root", w->who.name,
                w->name);
        return -1;
    }
    if (rc < 0) {
        bh_tell(d, v,
                at < strlen(path)
                    ? "let that user into this folder (chmod g+x, its group)"
                    : "put that user into the socket's group, and restart the "
                      "web server",
                "%s: %s (%s) may not connect: %s at %.*s", path, w->who.name,
                w->name, strerror(-rc), (int)at, path);
        return 0;
    }
    if (is_out_of_sight(w, path)) {
        bh_tell(d, v,
                "put the sockets into /run/bellhop: its unit has PrivateTmp",
                "%s: %s (%s) doesn't see it", path, w->name, w->who.name);
        return 0;
    }
    return 1;
}

/* lighttpd is one process, and holds two for each that waits; in nginx and
 * Apache several share them. */
static void
weigh_limit(struct bh_doctor *d, const struct web *w)
{
    int64_t limit = w->pid > 0 ? bh_descriptor_limit(w->pid, false) : -1;
    int64_t need = d->conf->broker.waiters * (int64_t)2;

    if (limit < 0 || strcmp(w->name, "lighttpd") != 0 || need < limit) return;
    bh_tell(d, BH_DOUBTFUL,
            "raise server.max-fds and LimitNOFILE of its unit, or lower "
            "broker.waiters",
            "lighttpd may have %lld descriptors, and broker.waiters = %d takes "
            "%lld of it",
            (long long)limit, d->conf->broker.waiters, (long long)need);
}

/* Of several web servers it may be one alone that is ours. */
static void
weigh_webs(struct bh_doctor *d, const struct webs *w)
{
    int good = 0, skipped = 0;

    for (size_t i = 0; i < w->n; i++) {
        int rc = weigh_web(d, &w->v[i], w->n > 1 ? BH_DOUBTFUL : BH_WRONG);
        if (rc > 0) weigh_limit(d, &w->v[i]);
        good += rc > 0;
        skipped += rc < 0;
    }
    if (good > 0)
        bh_tell(d, BH_FINE, NULL, "%s: the web server's user may connect",
                bh_worker_socket(d));
    else if (w->n > 1 && skipped == 0)
        bh_tell(d, BH_WRONG, "mend it for the one that serves Bellhop",
                "%s: none of the web servers may connect", bh_worker_socket(d));
}

/* Without a known socket; true: told so. */
static bool
skip_without_socket(struct bh_doctor *d)
{
    if (d->conf == NULL)
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
    else if (bh_worker_socket(d) == NULL)
        bh_tell(d, BH_SKIPPED, NULL,
                "worker.socket is empty, and no worker runs or shows its "
                "socket; --url asks one");
    return d->conf == NULL || bh_worker_socket(d) == NULL;
}

void
bh_check_worker_socket(struct bh_doctor *d)
{
    struct webs w;
    struct stat st;

    if (skip_without_socket(d)) return;
    const char *path = bh_worker_socket(d);
    errno = 0;
    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        bh_tell(d, BH_WRONG, "start bellhop-worker with this configuration",
                "%s: %s", path,
                errno == EACCES ? strerror(errno) : "there is no socket");
        return;
    }
    if ((st.st_mode & S_IWOTH) != 0)
        bh_tell(d, BH_WRONG, "chmod o= it; the worker makes it 0660",
                "%s (%04o): any local user may pass for the web server", path,
                (unsigned)st.st_mode & 07777);
    find_webs(d, &w);
    if (w.n == 0 && d->web_user == NULL)
        bh_tell(d, BH_SKIPPED, NULL,
                "no web server runs here; name its user with --web-user");
    weigh_webs(d, &w);
}

/* ---- its answer ---- */

static void
weigh_health(struct bh_doctor *d, struct bh_answer *a)
{
    const char *text = bh_buf_cstr(&a->body);

    if (strstr(text, "\"worker\":\"up\"") == NULL)
        bh_tell(d, BH_WRONG, "see that nothing else serves the socket",
                "%s answers with %d, and not as a worker", bh_worker_socket(d),
                a->status);
    if (strstr(text, "\"broker\":\"down\"") != NULL)
        bh_tell(d, BH_WRONG,
                "see broker and broker socket above; the worker's log has "
                "more",
                "it can't reach the broker: polls are answered from the log, "
                "streams with 503");
    if (strstr(text, "\"log\":\"down\"") != NULL)
        bh_tell(d, BH_WRONG, "see log and disk above",
                "it can't read the log: requests get 503 log_unavailable");
    if (a->status == 200)
        bh_tell(d, BH_FINE, NULL, "answers, and sees broker and log");
}

void
bh_check_worker(struct bh_doctor *d)
{
    struct bh_answer a = {0, BH_BUF_INIT, BH_BUF_INIT};

    if (skip_without_socket(d)) return;
    int rc = bh_fcgi_get(bh_worker_socket(d), "/healthz", ANSWER_MS, &a);
    if (rc == -EACCES)
        bh_tell(d, BH_SKIPPED, NULL, "%s: %s: run this as root",
                bh_worker_socket(d), strerror(-rc));
    else if (rc == -EAGAIN)
        bh_tell(d, BH_WRONG,
                "see what its threads do; raise worker.threads, or restart it",
                "no answer within %d s", ANSWER_MS / 1000);
    else if (rc < 0)
        bh_tell(d, BH_WRONG, "start bellhop-worker; its log says why it ended",
                "%s: %s", bh_worker_socket(d),
                rc == -ECONNREFUSED ? "nobody serves it" : strerror(-rc));
    else
        weigh_health(d, &a);
    bh_answer_fini(&a);
}
