#include "count.h"

static uint64_t counts[BH_COUNT_N];

void
bh_count(enum bh_count c, uint64_t n)
{
    __atomic_fetch_add(&counts[c], n, __ATOMIC_RELAXED);
}

uint64_t
bh_counted(enum bh_count c)
{
    return __atomic_load_n(&counts[c], __ATOMIC_RELAXED);
}

const char *
bh_count_word(enum bh_count c)
{
    static const char *const words[] = {
#define WORD(sym, word, what) [BH_COUNT_##sym] = word,
        BH_COUNTS(WORD)
#undef WORD
    };

    return words[c];
}
