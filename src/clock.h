/* clock.h: the two clocks, in milliseconds, and randomness. Tests may set the
 * clocks. */
#ifndef BH_CLOCK_H
#define BH_CLOCK_H

#include "base.h"

int64_t bh_now_ms(void);  /* monotonic: for durations and deadlines */
int64_t bh_wall_ms(void); /* since 1970: for stamps and token expiry */
int64_t bh_now_us(void);  /* monotonic, microseconds: for measuring */

#define BH_BOOT_ID_MAX 40
/* The kernel's name for this boot, hex digits and dashes. Where there is none
 * to read, a random one: then every call counts as a reboot. */
void bh_boot_id(char out[BH_BOOT_ID_MAX]);

/* For tests: both clocks stand at these values until bh_clock_real(). */
void bh_clock_fake(int64_t now_ms, int64_t wall_ms);
void bh_clock_real(void);

/* Uniform in [0, BOUND), BOUND > 0. Not for secrets. */
uint32_t bh_random_below(uint32_t bound);
/* Fill from the kernel's generator; aborts if the kernel has none. */
void bh_random_bytes(void *p, size_t len);
/* 2*LEN hex digits and a NUL to OUT, from the kernel's generator. */
void bh_random_hex(char *out, size_t len);
/* The same from the thread's own generator: unlike any other, but no secret. */
void bh_random_id(char *out, size_t len);

#endif
