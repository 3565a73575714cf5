/* doctor_process.c: which processes belong to this installation, and what they
 * may open. They are those that have its log open, whoever has started them, or
 * the control page beside it: a worker opens the log with its first request. */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* broker/broker.c keeps as many for other things than waiters. */
#define RESERVED_FDS 256
#define COMM_MAX     16 /* what the kernel keeps of a program's name */

/* ---- /proc ---- */

static bool
read_name(pid_t pid, char out[COMM_MAX + 1])
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    FILE *f = fopen(path, "re");
    bool good = f != NULL && fgets(out, COMM_MAX + 1, f) != NULL;
    if (f != NULL) fclose(f);
    if (good) out[strcspn(out, "\n")] = '\0';
    return good;
}

/* The log and its control page. */
#define FILES 2

static bool
is_one_of(const struct stat files[FILES], const struct stat *st)
{
    for (int i = 0; i < FILES; i++)
        if (st->st_dev == files[i].st_dev && st->st_ino == files[i].st_ino)
            return true;
    return false;
}

/* How many descriptors PID has open, -1: hidden; *HAS: one of FILES, which may
 * be NULL, is among them. */
static int
descriptors(pid_t pid, const struct stat *files, bool *has)
{
    char path[64];
    struct dirent *e;
    struct stat st;
    int n = 0;

    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *dir = opendir(path);
    if (dir == NULL) return -1;
    while ((e = readdir(dir)) != NULL) {
        if (!isdigit((unsigned char)e->d_name[0])) continue;
        n++;
        if (files != NULL && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
            is_one_of(files, &st))
            *has = true;
    }
    closedir(dir);
    return n;
}

static void
add_member(struct bh_member *v, size_t *n, pid_t pid)
{
    struct bh_member m = {.pid = pid};

    if (*n < BH_MEMBERS_MAX && bh_credentials_of_process(&m.who, pid))
        v[(*n)++] = m;
}

/* False: it may be one of ours, and nobody tells us. */
static bool
consider(struct bh_doctor *d, pid_t pid, const struct stat *files)
{
    char name[COMM_MAX + 1];
    bool has = false;

    if (!read_name(pid, name)) return true;
    bool broker = strcmp(name, "bellhopd") == 0;
    if (!broker && strcmp(name, "bellhop-worker") != 0) return true;
    if (descriptors(pid, files, &has) < 0) return false;
    if (has && broker) add_member(d->brokers, &d->n_brokers, pid);
    if (has && !broker) add_member(d->workers, &d->n_workers, pid);
    return true;
}

bool
bh_members_find(struct bh_doctor *d)
{
    struct dirent *e;
    struct stat files[FILES];
    char control[4096];
    bool all = true;
    DIR *dir;

    d->n_brokers = d->n_workers = 0;
    if (d->conf == NULL || stat(d->conf->log.path, &files[0]) != 0) return true;
    snprintf(control, sizeof control, "%s.control", d->conf->log.path);
    if (stat(control, &files[1]) != 0) files[1] = files[0];
    if ((dir = opendir("/proc")) == NULL) return false;
    while ((e = readdir(dir)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]))
            all = consider(d, (pid_t)atol(e->d_name), files) && all;
    closedir(dir);
    return all;
}

/* ---- which run ---- */

/* The kernel marks a program whose file was replaced, by an upgrade say. */
static bool
is_replaced(pid_t pid)
{
    char path[64], target[4096];

    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) return false;
    target[n] = '\0';
    return strstr(target, " (deleted)") != NULL;
}

static void
weigh_build(struct bh_doctor *d, const struct bh_member *m, const char *what)
{
    if (is_replaced(m->pid))
        bh_tell(d, BH_DOUBTFUL, "restart it",
                "%s %ld still runs the build of before an upgrade", what,
                (long)m->pid);
    if (m->who.uid == 0)
        bh_tell(d, BH_DOUBTFUL, "run it as a user of its own",
                "%s %ld runs as root and needn't", what, (long)m->pid);
}

void
bh_check_programs(struct bh_doctor *d)
{
    bool all = bh_members_find(d);

    if (d->conf == NULL) {
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
        return;
    }
    if (d->n_brokers > 0 && d->n_workers > 0) {
        bh_tell(d, BH_FINE, NULL, "a broker and %zu worker%s have the log open",
                d->n_workers, d->n_workers == 1 ? "" : "s");
    } else if (!all) {
        bh_tell(d, BH_SKIPPED, NULL,
                "other users' processes are hidden: run this as root");
        return;
    }
    if (d->n_brokers == 0)
        bh_tell(d, BH_WRONG, "start bellhopd; its log says why it ended",
                "no broker has the log open");
    if (d->n_workers == 0)
        bh_tell(d, BH_WRONG, "start bellhop-worker; its log says why it ended",
                "no worker has the log open");
    if (d->n_brokers > 1)
        bh_tell(d, BH_WRONG, "stop all but one: they share no waiters",
                "%zu brokers have the log open", d->n_brokers);
    for (size_t i = 0; i < d->n_brokers; i++)
        weigh_build(d, &d->brokers[i], "broker");
    for (size_t i = 0; i < d->n_workers; i++)
        weigh_build(d, &d->workers[i], "worker");
}

/* ---- descriptors ---- */

int64_t
bh_descriptor_limit(pid_t pid, bool hard)
{
    char path[64], line[256], soft_text[32], hard_text[32];
    int64_t limit = -1;

    snprintf(path, sizeof path, "/proc/%ld/limits", (long)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return -1;
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Max open files %31s %31s", soft_text, hard_text) == 2)
            limit = atoll(hard ? hard_text : soft_text);
    fclose(f);
    return limit > 0 ? limit : -1;
}

static void
weigh_use(struct bh_doctor *d, const struct bh_member *m, const char *what)
{
    bool none;
    int used = descriptors(m->pid, NULL, &none);
    int64_t limit = bh_descriptor_limit(m->pid, false);

    if (used < 0 || limit < 0) {
        bh_tell(d, BH_SKIPPED, NULL, "%s %ld is hidden: run this as root", what,
                (long)m->pid);
        return;
    }
    bool wrong = used >= limit - 8, doubtful = used > limit * 4 / 5;
    bh_tell(
        d,
        wrong      ? BH_WRONG
        : doubtful ? BH_DOUBTFUL
                   : BH_FINE,
        wrong || doubtful ? "raise LimitNOFILE of its unit (ulimit -n)" : NULL,
        "%s %ld: %d of %" PRId64 " in use", what, (long)m->pid, used, limit);
}

static void
weigh_waiters(struct bh_doctor *d, const struct bh_member *broker)
{
    int64_t limit = bh_descriptor_limit(broker->pid, true);
    int asked = d->conf->broker.waiters;

    if (asked == 0)
        bh_tell(d, BH_DOUBTFUL,
                "set it to 100 less than the web server can hold "
                "(docs/servers.md)",
                "broker.waiters isn't set: the web server's bound is met "
                "first, and it tells no client when to come again");
    if (limit < 0 || asked + RESERVED_FDS <= limit) return;
    bh_tell(d, BH_WRONG, "raise LimitNOFILE of the broker's unit",
            "broker.waiters = %d needs %d, and the broker may have %" PRId64,
            asked, asked + RESERVED_FDS, limit);
}

void
bh_check_descriptors(struct bh_doctor *d)
{
    if (d->n_brokers == 0 && d->n_workers == 0)
        bh_tell(d, BH_SKIPPED, NULL, "no program of ours was found");
    for (size_t i = 0; i < d->n_brokers; i++) {
        weigh_use(d, &d->brokers[i], "broker");
        weigh_waiters(d, &d->brokers[i]);
    }
    for (size_t i = 0; i < d->n_workers; i++)
        weigh_use(d, &d->workers[i], "worker");
}
