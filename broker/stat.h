/* stat.h: the broker's counters, each declared once. */
#ifndef BH_STAT_H
#define BH_STAT_H

#include "base.h"

/*  X(name, meaning): all of them only rise. */
#define BH_STATS(X)                                                            \
    X(published, "events read from the log while following it")                \
    X(delivered, "events answered, once for each receiver")                    \
    X(dropped, "events that left a buffer for lack of room")                   \
    X(expired, "events that left a buffer by age")                             \
    X(gaps, "answers that told of a gap")                                      \
    X(polls, "subscribes taken over")                                          \
    X(streams, "event streams taken over")                                     \
    X(answers, "subscribes answered")                                          \
    X(without_event, "subscribes answered without an event")                   \
    X(superseded, "subscribes ended by a newer one of the same client")        \
    X(overloaded, "subscribes turned away at a limit")                         \
    X(token_expired, "subscribes ended by their token's expiry")               \
    X(gone, "subscribes whose client left")                                    \
    X(lost, "subscribes whose connection failed while being answered")         \
    X(bad_messages, "messages that were none")

struct bh_stats {
#define BH_STAT_FIELD(name, what) uint64_t name;
    BH_STATS(BH_STAT_FIELD)
#undef BH_STAT_FIELD
};

#endif
