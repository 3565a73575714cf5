#include "ctlpage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "map.h"
#include "mem.h"

static const char magic[8] = "BHCTL01";

/* The file: in the machine's own byte order, since it never leaves it. */
struct image {
    char magic[8];
    struct bh_ctlpage page;
    uint8_t spare[64 - 8 - sizeof(struct bh_ctlpage) - 8];
    uint64_t sum; /* of all before it: a page that is half written is none */
};
_Static_assert(sizeof(struct image) == 64, "one read, one write");

const struct bh_ctlchange bh_ctlchange_none = {
    false, false, {BH_LEVEL_KEEP, BH_LEVEL_KEEP}};

/* Against accidents, not against an attacker: who may write the file may write
 * the log. */
static uint64_t
sum_of(const struct image *i)
{
    static const uint8_t key[16] = "bellhop control";

    return bh_siphash(key, i, offsetof(struct image, sum));
}

static bool
is_sound(const struct image *i)
{
    if (memcmp(i->magic, magic, sizeof magic) != 0 || i->sum != sum_of(i))
        return false;
    for (int part = 0; part < BH_PARTS; part++)
        if (i->page.level[part] > BH_DEBUG + 1) return false;
    return true;
}

static int
read_image(int fd, struct image *out)
{
    ssize_t n;

    do n = pread(fd, out, sizeof *out, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    return (size_t)n == sizeof *out && is_sound(out) ? 0 : -EINVAL;
}

static char *
path_of(const char *log_path)
{
    size_t size = strlen(log_path) + sizeof ".control";
    char *path = bh_alloc(size);

    if (path != NULL) snprintf(path, size, "%s.control", log_path);
    return path;
}

/* ---- reading ---- */

int
bh_ctlfile_init(struct bh_ctlfile *f, const char *log_path)
{
    f->fd = -1;
    f->path = path_of(log_path);
    return f->path != NULL ? 0 : -ENOMEM;
}

static void
close_file(struct bh_ctlfile *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

void
bh_ctlfile_fini(struct bh_ctlfile *f)
{
    if (f->path == NULL) return;
    close_file(f);
    bh_free(f->path);
    f->path = NULL;
}

int
bh_ctlpage_read(struct bh_ctlfile *f, struct bh_ctlpage *out)
{
    struct stat st;
    struct image i;

    if (f->fd >= 0 && (fstat(f->fd, &st) != 0 || st.st_nlink == 0))
        close_file(f);
    if (f->fd < 0)
        f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (f->fd < 0) return -errno;
    int rc = read_image(f->fd, &i);
    if (rc == 0) *out = i.page;
    return rc;
}

/* ---- writing ---- */

/* What root makes must be open to those who serve the log. */
static void
give_to_owner(int fd, const char *log_path)
{
    struct stat st;

    if (geteuid() == 0 && stat(log_path, &st) == 0)
        (void)!fchown(fd, st.st_uid, st.st_gid);
}

static int
open_to_write(const char *path, const char *log_path)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = open(path, flags);

    if (fd >= 0 || errno != ENOENT) return fd < 0 ? -errno : fd;
    fd = open(path, flags | O_CREAT | O_EXCL, 0660);
    if (fd < 0 && errno == EEXIST) fd = open(path, flags);
    if (fd < 0) return -errno;
    give_to_owner(fd, log_path);
    return fd;
}

static uint64_t
new_number(uint64_t old)
{
    uint64_t n;

    do bh_random_bytes(&n, sizeof n);
    while (n == old || n == 0);
    return n;
}

static void
apply(struct bh_ctlpage *p, const struct bh_ctlchange *c)
{
    if (c->rules) p->rules = new_number(p->rules);
    if (c->conf) p->conf = new_number(p->conf);
    for (int part = 0; part < BH_PARTS; part++)
        if (c->level[part] != BH_LEVEL_KEEP)
            p->level[part] = (uint8_t)c->level[part];
}

static int
write_image(int fd, struct image *i)
{
    ssize_t n;

    memcpy(i->magic, magic, sizeof magic);
    i->sum = sum_of(i);
    do n = pwrite(fd, i, sizeof *i, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    if ((size_t)n != sizeof *i) return -EIO;
    return ftruncate(fd, sizeof *i) == 0 ? 0 : -errno;
}

static int
change(int fd, const struct bh_ctlchange *c)
{
    struct image i, before;
    int rc = read_image(fd, &i);

    if (rc == -EINVAL) {
        memset(&i, 0, sizeof i);
        apply(&i.page, &(struct bh_ctlchange){
                           true, true, {BH_LEVEL_KEEP, BH_LEVEL_KEEP}});
    } else if (rc < 0) {
        return rc;
    }
    before = i;
    apply(&i.page, c);
    if (rc == 0 && memcmp(&before, &i, sizeof i) == 0) return 0;
    return write_image(fd, &i);
}

int
bh_ctlpage_change(const char *log_path, const struct bh_ctlchange *c)
{
    char *path = path_of(log_path);
    int rc = 0;

    if (path == NULL) return -ENOMEM;
    int fd = open_to_write(path, log_path);
    bh_free(path);
    if (fd < 0) return fd;
    while (rc == 0 && flock(fd, LOCK_EX) != 0)
        if (errno != EINTR) rc = -errno;
    if (rc == 0) rc = change(fd, c);
    close(fd);
    return rc;
}
