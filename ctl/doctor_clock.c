/* doctor_clock.c: tokens end by the clock, and stamps are made by it. */
#include "doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/timex.h>

#include "clock.h"

#define LOOK_BACK 1000 /* the last events, whose stamps must rise */
#define AHEAD_MS  1000

struct stamps {
    int64_t last_seq, last_at, back_ms;
};

static bool
compare(void *arg, const struct bh_event_row *row)
{
    struct stamps *s = arg;

    if (s->last_at - row->stored_at > s->back_ms)
        s->back_ms = s->last_at - row->stored_at;
    s->last_seq = row->seq;
    s->last_at = row->stored_at;
    return true;
}

/* Reads by itself, since the log's own check comes later. */
static void
weigh_stamps(struct bh_doctor *d)
{
    struct stamps s = {0, 0, 0};
    struct bh_store *log = NULL;
    struct bh_span span;

    if (d->conf == NULL || bh_store_open_reader(&log, d->conf->log.path) < 0)
        return;
    if (bh_store_span(log, &span) == 0)
        bh_store_follow(log, span.head > LOOK_BACK ? span.head - LOOK_BACK : 0,
                        LOOK_BACK, compare, &s);
    bh_store_close(log);
    int64_t ahead = s.last_at - bh_wall_ms();
    if (ahead > AHEAD_MS)
        bh_tell(d, BH_WRONG,
                "set it right and keep it so (timedatectl set-ntp true); "
                "tokens end by it",
                "this machine's clock is %" PRId64 " s behind the newest event",
                ahead / 1000);
    else if (s.back_ms > AHEAD_MS)
        bh_tell(d, BH_DOUBTFUL, "let chrony or timesyncd slew it, not step it",
                "it was set back by %" PRId64 " s within the last %d events",
                s.back_ms / 1000, LOOK_BACK);
}

void
bh_check_clock(struct bh_doctor *d)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    int told = d->n[BH_WRONG] + d->n[BH_DOUBTFUL];

    weigh_stamps(d);
    if (state < 0 || (t.status & STA_UNSYNC) != 0)
        bh_tell(d, BH_DOUBTFUL,
                "timedatectl set-ntp true, unless the host of this machine "
                "keeps it",
                "nothing keeps it synchronised, says the kernel");
    else if (d->n[BH_WRONG] + d->n[BH_DOUBTFUL] == told)
        bh_tell(d, BH_FINE, NULL, "synchronised; stamps of the log rise");
}
