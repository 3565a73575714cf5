/* doctor_log.c: the log and what it lies on. */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "clock.h"
#include "words.h"

#define MIB            1048576LL
#define WAL_LONG       (256 * MIB)
#define INTEGRITY_MOST (512 * MIB) /* some seconds to read */
#define BEHIND_MOST    1000000     /* events that wait to be counted */
#define LOCK_MS        2000
#define LOCK_EVERY_US  10000

static bool
skip_without_log(struct bh_doctor *d)
{
    if (d->log == NULL) bh_tell(d, BH_SKIPPED, NULL, "there is no log to read");
    return d->log == NULL;
}

static int64_t
size_of(const char *path, const char *end)
{
    char name[4096];
    struct stat st;

    snprintf(name, sizeof name, "%s%s", path, end);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* ---- the file ---- */

/* File systems whose locks or memory maps aren't shared between machines, or
 * whose contents don't outlive a restart. */
static const char *
unfit(const char *path, bool *wrong)
{
    static const struct {
        unsigned magic;
        const char *name;
        bool wrong;
    } kinds[] = {{0x6969, "NFS", true},       {0xff534d42, "CIFS", true},
                 {0xfe534d42, "SMB2", true},  {0x517b, "SMB", true},
                 {0x01021997, "9p", true},    {0x00c36400, "Ceph", true},
                 {0x65735546, "FUSE", false}, {0x01021994, "tmpfs", false},
                 {0x858458f6, "ramfs", false}};
    struct statfs fs;

    if (statfs(path, &fs) != 0) return NULL;
    for (size_t i = 0; i < bh_countof(kinds); i++) {
        if (kinds[i].magic != (unsigned)fs.f_type) continue;
        *wrong = kinds[i].wrong;
        return kinds[i].name;
    }
    return NULL;
}

static void
weigh_place(struct bh_doctor *d, const char *path)
{
    bool wrong = false;
    const char *kind = unfit(path, &wrong);
    struct stat st;

    if (kind != NULL)
        bh_tell(d, wrong ? BH_WRONG : BH_DOUBTFUL,
                "put log.path on a local disk",
                "%s lies on %s, where SQLite's locks or its contents may not "
                "hold",
                path, kind);
    if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0)
        bh_tell(d, BH_WRONG, "chmod o= it",
                "%s (%04o): every user may read or write all events", path,
                (unsigned)st.st_mode & 07777);
}

static void
weigh_writers(struct bh_doctor *d, const char *path)
{
    char folder[4096];
    size_t at;

    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL && slash != folder) *slash = '\0';
    for (size_t i = 0; i < d->n_workers; i++) {
        const struct bh_credentials *who = &d->workers[i].who;
        const char *what = path;
        int rc = bh_may(who, path, R_OK | W_OK, &at);
        if (rc == 0) {
            what = folder;
            rc = bh_may(who, folder, W_OK | X_OK, &at);
        }
        if (rc == 0 || rc == -ENOSYS) continue;
        bh_tell(d, BH_WRONG, "chown log and folder to the workers' user",
                "the workers (%s) may not write %s: %s at %.*s", who->name,
                what, strerror(-rc), (int)at, what);
    }
}

void
bh_check_log(struct bh_doctor *d)
{
    char size[BH_SIZE_MAX];
    int64_t first = 0, last = 0;

    if (d->conf == NULL) {
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
        return;
    }
    const char *path = d->conf->log.path;
    int rc = bh_store_open_reader(&d->log, path);
    if (rc < 0) {
        bh_tell(d, rc == -EACCES && geteuid() != 0 ? BH_SKIPPED : BH_WRONG,
                rc == -ENOENT   ? "start a worker: it lays the log"
                : rc == -EACCES ? "run this as root or as the workers' user"
                                : "bellhopctl verify, then restore a backup",
                "%s", bh_store_error(NULL));
        return;
    }
    bh_store_extent(d->log, &first, &last);
    bh_tell(d, BH_FINE, NULL, "%s: events %" PRId64 " to %" PRId64 ", %s", path,
            first, last, bh_size_text(size, bh_store_bytes(path)));
    weigh_place(d, path);
    weigh_writers(d, path);
}

/* ---- disk ---- */

void
bh_check_disk(struct bh_doctor *d)
{
    char left[BH_SIZE_MAX], wal_size[BH_SIZE_MAX];
    struct statfs fs;

    if (skip_without_log(d)) return;
    const char *path = d->conf->log.path;
    int64_t wal = size_of(path, "-wal");
    if (statfs(path, &fs) != 0) {
        bh_tell(d, BH_SKIPPED, NULL, "%s: %s", path, strerror(errno));
        return;
    }
    int64_t free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_bsize;
    bool few = fs.f_files > 0 && fs.f_ffree < 100;
    bool bad = free_bytes < 100 * MIB || few;
    bool little = free_bytes < 1024 * MIB || fs.f_bavail < fs.f_blocks / 20;
    bh_tell(d,
            bad      ? BH_WRONG
            : little ? BH_DOUBTFUL
                     : BH_FINE,
            bad || little ? "make room, or prune --max-size (which keeps the "
                            "file from growing)"
                          : NULL,
            "%s free%s", bh_size_text(left, free_bytes),
            few ? ", and hardly an inode" : "");
    if (wal > WAL_LONG)
        bh_tell(d, BH_DOUBTFUL,
                "end what has been reading the log for long: fuser -v on it",
                "the WAL has grown to %s: a reader keeps it from shrinking",
                bh_size_text(wal_size, wal));
}

/* ---- soundness ---- */

static void
take_finding(void *arg, enum bh_finding kind, const char *text)
{
    if (kind == BH_FOUND_BAD)
        bh_tell(arg, BH_WRONG,
                "keep a copy, then restore the last good backup: bellhopctl "
                "help restore",
                "%s", text);
}

void
bh_check_integrity(struct bh_doctor *d)
{
    char err[512], size[BH_SIZE_MAX];

    if (skip_without_log(d)) return;
    const char *path = d->conf->log.path;
    int64_t bytes = bh_store_bytes(path);
    if (d->quick || bytes > INTEGRITY_MOST) {
        bh_tell(d, BH_SKIPPED, NULL, "%s to be read: bellhopctl verify does it",
                bh_size_text(size, bytes));
        return;
    }
    int bad = d->n[BH_WRONG];
    if (bh_store_verify(path, true, take_finding, d, err, sizeof err) < 0)
        bh_tell(d, BH_WRONG, "see bellhopctl verify", "%s", err);
    else if (d->n[BH_WRONG] == bad)
        bh_tell(d, BH_FINE, NULL, "no damage, nothing missing or foreign");
}

/* ---- the writers' lock ---- */

/* Who holds it: /proc/locks has device and inode. 0: nobody knows. */
static long
holder(const struct stat *st)
{
    char line[256];
    FILE *f = fopen("/proc/locks", "re");
    long found = 0;

    while (f != NULL && found == 0 && fgets(line, sizeof line, f) != NULL) {
        char kind[16];
        long pid;
        unsigned long inode;
        if (sscanf(line, "%*d: %15s %*s %*s %ld %*x:%*x:%lu", kind, &pid,
                   &inode) == 3 &&
            strcmp(kind, "FLOCK") == 0 && inode == st->st_ino)
            found = pid;
    }
    if (f != NULL) fclose(f);
    return found;
}

static bool
got_lock(int fd)
{
    int64_t until = bh_now_ms() + LOCK_MS;

    while (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || bh_now_ms() > until) return false;
        usleep(LOCK_EVERY_US);
    }
    return true;
}

void
bh_check_lock(struct bh_doctor *d)
{
    char path[4096];
    struct stat st;

    if (skip_without_log(d)) return;
    snprintf(path, sizeof path, "%s.lock", d->conf->log.path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        bh_tell(d, errno == ENOENT ? BH_DOUBTFUL : BH_SKIPPED, NULL, "%s: %s",
                path, strerror(errno));
    } else if (got_lock(fd)) {
        bh_tell(d, BH_FINE, NULL, "the writers' lock comes free");
    } else {
        bh_tell(d, BH_WRONG, "see what it does; without it publishing goes on",
                "process %ld has held %s for two seconds and more", holder(&st),
                path);
    }
    if (fd >= 0) close(fd);
}

/* ---- summaries ---- */

void
bh_check_summary(struct bh_doctor *d)
{
    struct bh_span span;
    int64_t upto = 0;

    if (skip_without_log(d)) return;
    if (bh_store_span(d->log, &span) < 0 ||
        bh_store_summarized(d->log, &upto) < 0)
        bh_tell(d, BH_SKIPPED, NULL, "%s", bh_store_error(d->log));
    else if (span.head - upto > BEHIND_MOST)
        bh_tell(d, BH_DOUBTFUL, "run bellhopctl summarize from a timer",
                "%" PRId64 " events are not in the summaries: views are slow",
                span.head - upto);
    else
        bh_tell(d, BH_FINE, NULL, "%" PRId64 " events left to be counted",
                span.head - upto);
}
