/* record.h: what the log is told beside events, and nobody waits for: refusals
 * and telemetry. Bounded; what is too much is dropped. The caller locks. */
#ifndef BH_RECORD_H
#define BH_RECORD_H

#include "base.h"
#include "beacon.h"
#include "job.h"
#include "list.h"
#include "store.h"

/* A refused publish as it waits for the writer. */
struct bh_refusal_note {
    struct bh_link link;
    char domain[BH_DOMAIN_MAX + 1];
    char org[BH_NAME_MAX + 1], subject[BH_NAME_MAX + 1];
    char pointer[BH_POINTER_MAX], detail[128];
    char request_id[BH_REQUEST_ID_MAX + 1];
    char code[32];
    int64_t bytes, keep;
};
#define bh_note_of(l) bh_container_of(l, struct bh_refusal_note, link)

/* What goes into the log in one transaction. */
struct bh_group {
    struct bh_link jobs;      /* struct bh_job */
    struct bh_link notes;     /* struct bh_refusal_note */
    struct bh_link beacons;   /* struct bh_beacon */
    int rows, days;           /* of telemetry, kept */
    struct bh_buf deliveries; /* struct bh_delivery, one after the other */
    int64_t deliveries_kept;
};
void bh_group_init(struct bh_group *g);
bool bh_group_empty(const struct bh_group *g);

struct bh_record {
    struct bh_link notes, beacons;
    size_t n_notes, n_beacons;
    int64_t allowance;    /* thousandths of a refusal */
    int64_t allowance_at; /* monotonic */
    int64_t due_at;       /* of the beacons, when there are any */
    int rows, days;       /* of telemetry, to keep */
    struct bh_buf deliveries;
    int64_t deliveries_kept;   /* 0: none are wanted */
    int64_t deliveries_due_at; /* when there are any */
};
void bh_record_init(struct bh_record *r);
bool bh_record_empty(const struct bh_record *r);

/* Remember a refusal, to be one of the newest KEEP. False: dropped. */
bool bh_record_refusal(struct bh_record *r, const struct bh_refused *refused,
                       int64_t keep);
/* Take BEACONS over. They are due within a second, so that telemetry costs no
 * commit for each of its requests. False: dropped, counted, still in BEACONS.
 */
bool bh_record_telemetry(struct bh_record *r, struct bh_link *beacons, int rows,
                         int days);

/* Remember what became of the events that JOB has stored. It goes with the next
 * commit; where none comes for some seconds, by itself. */
void bh_record_deliveries(struct bh_record *r, const struct bh_job *job);

/* Move to GROUP what is due; ALL: there is a commit anyway. */
void bh_record_take(struct bh_record *r, struct bh_group *group, bool all,
                    int64_t now_ms);
/* Milliseconds until something is due, -1: never. */
int bh_record_timeout(const struct bh_record *r, int64_t now_ms);
/* Free the notes, the beacons and the deliveries of a group. */
void bh_record_free(struct bh_group *group);

#endif
