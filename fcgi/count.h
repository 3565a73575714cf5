/* count.h: what this worker process has counted since it started. */
#ifndef BH_COUNT_H
#define BH_COUNT_H

#include "base.h"

/*  X(symbol, word, what it counts) */
#define BH_COUNTS(X)                                                           \
    X(LIMITED_PUBLISHER, "limited_publisher",                                  \
      "publishes refused because of their publisher's rate")                   \
    X(LIMITED_ORG, "limited_org",                                              \
      "publishes refused because of an org's rate")                            \
    X(LIMITED_ADDRESS, "limited_address",                                      \
      "telemetry refused because of its address's rate")                       \
    X(LIMITED_TELEMETRY, "limited_telemetry",                                  \
      "telemetry refused because of everybody's rate")                         \
    X(TELEMETRY_TAKEN, "telemetry_taken", "telemetry entries accepted")        \
    X(TELEMETRY_OTHER, "telemetry_other",                                      \
      "accepted ones of an unknown eventType")                                 \
    X(TELEMETRY_DROPPED, "telemetry_dropped",                                  \
      "accepted ones that could not be stored")

enum bh_count {
#define BH_COUNT_ENUM(sym, word, what) BH_COUNT_##sym,
    BH_COUNTS(BH_COUNT_ENUM)
#undef BH_COUNT_ENUM
        BH_COUNT_N
};

/* Both from any thread. */
void bh_count(enum bh_count c, uint64_t n);
uint64_t bh_counted(enum bh_count c);
const char *bh_count_word(enum bh_count c);

#endif
