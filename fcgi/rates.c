#include "rates.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "map.h"

#define WAYS 4
#define SETS 16384

static const char magic[8] = "BHRATES";

struct slot {
    uint64_t owner;  /* the hash of kind and name; 0: nobody's */
    int64_t full_at; /* ns of the monotonic clock */
};

/* The file. */
struct bh_rates {
    char magic[8];
    char boot[BH_BOOT_ID_MAX]; /* the clock begins anew with each boot */
    uint8_t key[16];
    struct slot slots[SETS * WAYS];
};

_Static_assert(offsetof(struct bh_rates, slots) == 64, "sets on cache lines");

/* ---- the file ---- */

static bool
is_sound(const struct bh_rates *t, const char *boot)
{
    return memcmp(t->magic, magic, sizeof magic) == 0 &&
           strncmp(t->boot, boot, sizeof t->boot) == 0;
}

/* In place, since others may have it mapped. */
static void
lay(struct bh_rates *t, const char *boot)
{
    memset(t, 0, sizeof *t);
    memcpy(t->boot, boot, strlen(boot));
    bh_random_bytes(t->key, sizeof t->key);
    memcpy(t->magic, magic, sizeof magic);
}

static int
open_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                  0660);
    int error = errno;

    if (fd < 0) return -error;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return fd;
    close(fd);
    return -EINVAL;
}

/*
 * Map FD, whose lock is held. It is never made shorter, and its blocks are
 * there before it is used: a page that can't be had would end the process
 * (SIGBUS).
 */
static int
map_file(int fd, struct bh_rates **out)
{
    char boot[BH_BOOT_ID_MAX];
    int rc = posix_fallocate(fd, 0, sizeof(struct bh_rates));

    if (rc != 0) return -rc;
    void *p = mmap(NULL, sizeof(struct bh_rates), PROT_READ | PROT_WRITE,
                   MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return -errno;
    *out = p;
    bh_boot_id(boot);
    if (!is_sound(*out, boot)) lay(*out, boot);
    return 0;
}

static int
share(const char *path, struct bh_rates **out)
{
    int rc = 0, fd = open_file(path);

    if (fd < 0) return fd;
    while (rc == 0 && flock(fd, LOCK_EX) != 0)
        if (errno != EINTR) rc = -errno;
    if (rc == 0) rc = map_file(fd, out);
    flock(fd, LOCK_UN); /* the mapping would keep it */
    close(fd);
    return rc;
}

struct bh_rates *
bh_rates_open(const char *path)
{
    struct bh_rates *t = NULL;
    int rc = path != NULL ? share(path, &t) : 0;

    if (t != NULL) return t;
    if (rc < 0)
        bh_log(BH_WARN, "%s: %s: each worker process has the limits for itself",
               path, strerror(-rc));
    void *p = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    t = p;
    lay(t, "");
    return t;
}

void
bh_rates_close(struct bh_rates *t)
{
    if (t != NULL) munmap(t, sizeof *t);
}

/* ---- whose slot ---- */

static uint64_t
hash_of(const struct bh_rates *t, enum bh_rate_kind kind, struct bh_str name)
{
    char text[1 + BH_NAME_MAX];
    size_t len = name.len < BH_NAME_MAX ? name.len : BH_NAME_MAX;

    text[0] = (char)kind;
    if (len > 0) memcpy(text + 1, name.p, len);
    uint64_t hash = bh_siphash(t->key, text, 1 + len);
    return hash != 0 ? hash : 1;
}

static struct slot *
set_of(struct bh_rates *t, uint64_t hash)
{
    return &t->slots[hash % SETS * WAYS];
}

static struct slot *
find(struct slot *set, uint64_t hash)
{
    for (int i = 0; i < WAYS; i++)
        if (__atomic_load_n(&set[i].owner, __ATOMIC_RELAXED) == hash)
            return &set[i];
    return NULL;
}

static int64_t
full_at(const struct slot *slot)
{
    return __atomic_load_n(&slot->full_at, __ATOMIC_RELAXED);
}

/* The one that is full the soonest, or has been for the longest time. */
static struct slot *
idlest(struct slot *set)
{
    struct slot *best = &set[0];

    for (int i = 1; i < WAYS; i++)
        if (full_at(&set[i]) < full_at(best)) best = &set[i];
    return best;
}

/*
 * After a claim it looks again: whoever claimed another slot for the same name
 * meanwhile finds the same first one. Where no slot is free the name draws on
 * somebody else's.
 */
static struct slot *
find_or_claim(struct slot *set, uint64_t hash, int64_t now)
{
    for (int i = 0; i <= WAYS; i++) {
        struct slot *found = find(set, hash);
        if (found != NULL) return found;
        struct slot *free = idlest(set);
        if (full_at(free) > now) return free;
        uint64_t was = __atomic_load_n(&free->owner, __ATOMIC_RELAXED);
        __atomic_compare_exchange_n(&free->owner, &was, hash, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    return idlest(set);
}

/* ---- the bucket ---- */

/* The time in which N come in. */
static int64_t
time_for(const struct bh_rate *rate, int n)
{
    return (int64_t)n * rate->seconds * 1000000000 / rate->n;
}

int64_t
bh_rates_take(struct bh_rates *t, enum bh_rate_kind kind, struct bh_str name,
              const struct bh_rate *rate, int n, int64_t now_us)
{
    if (rate->n == 0) return 0;
    int64_t now = now_us * 1000;
    int64_t depth = time_for(rate, rate->burst), cost = time_for(rate, n);
    int64_t slack = cost < depth ? depth - cost : 0;
    int64_t most = now + depth + time_for(rate, BH_BATCH_MAX);
    uint64_t hash = hash_of(t, kind, name);
    struct slot *slot = find_or_claim(set_of(t, hash), hash, now);
    int64_t at = full_at(slot), from;

    do {
        /* More than the bucket can owe is of another configuration. */
        from = at > now && at <= most ? at : now;
        if (from - now > slack) return (from - now - slack + 999) / 1000;
    } while (!__atomic_compare_exchange_n(&slot->full_at, &at, from + cost,
                                          false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 0;
}

void
bh_rates_give(struct bh_rates *t, enum bh_rate_kind kind, struct bh_str name,
              const struct bh_rate *rate, int n)
{
    if (rate->n == 0) return;
    uint64_t hash = hash_of(t, kind, name);
    struct slot *slot = find(set_of(t, hash), hash);

    if (slot != NULL)
        __atomic_fetch_sub(&slot->full_at, time_for(rate, n), __ATOMIC_RELAXED);
}

/* ---- holding ---- */

/* A slot in use by somebody else is left alone: a hold is a favour. */
void
bh_rates_hold(struct bh_rates *t, enum bh_rate_kind kind, struct bh_str name,
              int64_t us, int64_t now_us)
{
    uint64_t hash = hash_of(t, kind, name);
    struct slot *slot = find_or_claim(set_of(t, hash), hash, now_us * 1000);

    if (__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) == hash)
        __atomic_store_n(&slot->full_at, (now_us + us) * 1000,
                         __ATOMIC_RELAXED);
}

int64_t
bh_rates_held(struct bh_rates *t, enum bh_rate_kind kind, struct bh_str name,
              int64_t now_us)
{
    uint64_t hash = hash_of(t, kind, name);
    struct slot *slot = find(set_of(t, hash), hash);
    int64_t left = slot != NULL ? full_at(slot) - now_us * 1000 : 0;

    return left > 0 ? (left + 999) / 1000 : 0;
}
