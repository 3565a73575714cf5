/* beacon.h: from the body of POST /telemetry/client to rows for the log. */
#ifndef BH_BEACON_H
#define BH_BEACON_H

#include "base.h"
#include "event.h"
#include "list.h"

/* One entry of telemetry, checked. */
struct bh_beacon {
    struct bh_link link;
    const char *type;  /* one of the known words, or "other" */
    int64_t timestamp; /* of the client, or -1 */
    char domain[BH_DOMAIN_MAX + 1];
    char session[BH_TELEMETRY_ID_MAX + 1], tab[BH_TELEMETRY_ID_MAX + 1];
    size_t data_len;
    char data[BH_TELEMETRY_DATA_MAX]; /* its other members, a compact object */
};
#define bh_beacon_of(l) bh_container_of(l, struct bh_beacon, link)

/*
 * Parse one object, an array of them or {"events":[…]} and append them to OUT,
 * all or nothing: their number, 1…BH_TELEMETRY_BATCH_MAX; -EINVAL and the first
 * mistake in ERRORS; -ENOMEM.
 */
int bh_beacon_parse(struct bh_link *out, struct bh_str body,
                    struct bh_event_errors *errors);
void bh_beacons_free(struct bh_link *list);
/* Whether its eventType was one of the known. */
bool bh_beacon_known(const struct bh_beacon *b);

#endif
