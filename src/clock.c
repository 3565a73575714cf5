#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static atomic_bool faked;
static _Atomic int64_t fake_now, fake_wall;

static int64_t
read_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts); /* can't fail for these two clocks */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
bh_now_us(void)
{
    return atomic_load(&faked) ? atomic_load(&fake_now) * 1000
                               : read_us(CLOCK_MONOTONIC);
}

int64_t
bh_now_ms(void)
{
    return bh_now_us() / 1000;
}

int64_t
bh_wall_ms(void)
{
    return atomic_load(&faked) ? atomic_load(&fake_wall)
                               : read_us(CLOCK_REALTIME) / 1000;
}

void
bh_clock_fake(int64_t now_ms, int64_t wall_ms)
{
    atomic_store(&fake_now, now_ms);
    atomic_store(&fake_wall, wall_ms);
    atomic_store(&faked, true);
}

void
bh_clock_real(void)
{
    atomic_store(&faked, false);
}

void
bh_boot_id(char out[BH_BOOT_ID_MAX])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out, BH_BOOT_ID_MAX - 1);

    if (fd >= 0) close(fd);
    if (len < 0) len = 0;
    out[len] = '\0';
    out[strspn(out, "0123456789abcdef-")] = '\0';
    if (out[0] == '\0') bh_random_hex(out, 16);
}

void
bh_random_bytes(void *p, size_t len)
{
    unsigned char *to = p;

    while (len > 0) {
        ssize_t n = getrandom(to, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) abort();
        to += n;
        len -= (size_t)n;
    }
}

/* The bytes wait in the second half of OUT, which the digits reach last. */
static void
to_hex(char *out, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)out[len + i];
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[2 * len] = '\0';
}

void
bh_random_hex(char *out, size_t len)
{
    bh_random_bytes(out + len, len);
    to_hex(out, len);
}

/* splitmix64 (G. Steele, D. Lea, C. Flood, 2014), one stream per thread. */
static uint32_t
next_random(void)
{
    static __thread uint64_t state;
    static __thread bool seeded;

    if (!seeded) {
        bh_random_bytes(&state, sizeof state);
        seeded = true;
    }
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

void
bh_random_id(char *out, size_t len)
{
    for (size_t i = 0; i < len; i++) out[len + i] = (char)next_random();
    to_hex(out, len);
}

uint32_t
bh_random_below(uint32_t bound)
{
    /* D. Lemire, 2019: the high half of the product is uniform once the low
     * halves that would come up once too often are thrown away. */
    uint32_t reject = -bound % bound;
    uint64_t product;

    do product = (uint64_t)next_random() * bound;
    while ((uint32_t)product < reject);
    return (uint32_t)(product >> 32);
}
