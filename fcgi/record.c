#include "record.h"

#include <string.h>

#include "clock.h"
#include "count.h"
#include "mem.h"

#define NOTES_MAX     64 /* refusals that wait to be recorded */
#define NOTES_A_S     10 /* recorded per second at most */
#define NOTES_AT_ONCE 20
#define BEACONS_MAX   1000
#define BEACONS_MS    1000 /* they wait at most, for a commit to go with */

#define DELIVERIES_MAX 20000 /* that wait to be recorded */
#define DELIVERIES_MS  5000

void
bh_group_init(struct bh_group *g)
{
    memset(g, 0, sizeof *g);
    bh_list_init(&g->jobs);
    bh_list_init(&g->notes);
    bh_list_init(&g->beacons);
}

bool
bh_group_empty(const struct bh_group *g)
{
    return bh_list_empty(&g->jobs) && bh_list_empty(&g->notes) &&
           bh_list_empty(&g->beacons) && g->deliveries.len == 0;
}

void
bh_record_init(struct bh_record *r)
{
    memset(r, 0, sizeof *r);
    bh_list_init(&r->notes);
    bh_list_init(&r->beacons);
    r->allowance = NOTES_AT_ONCE * 1000;
    r->allowance_at = bh_now_ms();
}

bool
bh_record_empty(const struct bh_record *r)
{
    return r->n_notes == 0 && r->n_beacons == 0 && r->deliveries.len == 0;
}

/* ---- refusals ---- */

/* A bucket of NOTES_AT_ONCE that fills by NOTES_A_S. */
static bool
may_record(struct bh_record *r)
{
    int64_t now = bh_now_ms();

    r->allowance += (now - r->allowance_at) * NOTES_A_S;
    r->allowance_at = now;
    if (r->allowance > NOTES_AT_ONCE * 1000)
        r->allowance = NOTES_AT_ONCE * 1000;
    if (r->allowance < 1000 || r->n_notes >= NOTES_MAX) return false;
    r->allowance -= 1000;
    return true;
}

static void
copy(char *out, size_t size, struct bh_str s)
{
    size_t len = s.len < size ? s.len : size - 1;

    if (len > 0) memcpy(out, s.p, len);
    out[len] = '\0';
}

static struct bh_refusal_note *
note_new(const struct bh_refused *r, int64_t keep)
{
    struct bh_refusal_note *n = bh_zalloc(sizeof *n);

    if (n == NULL) return NULL;
    bh_list_init(&n->link);
    copy(n->domain, sizeof n->domain, r->domain);
    copy(n->org, sizeof n->org, r->org);
    copy(n->subject, sizeof n->subject, r->subject);
    copy(n->pointer, sizeof n->pointer, r->pointer);
    copy(n->detail, sizeof n->detail, r->detail);
    copy(n->request_id, sizeof n->request_id, r->request_id);
    copy(n->code, sizeof n->code, r->code);
    n->bytes = r->bytes;
    n->keep = keep;
    return n;
}

bool
bh_record_refusal(struct bh_record *r, const struct bh_refused *refused,
                  int64_t keep)
{
    struct bh_refusal_note *n = may_record(r) ? note_new(refused, keep) : NULL;

    if (n == NULL) return false;
    bh_list_add(&r->notes, &n->link);
    r->n_notes++;
    return true;
}

/* ---- telemetry ---- */

/* Move all of FROM to the end of TO; how many there were. */
static size_t
move(struct bh_link *to, struct bh_link *from)
{
    size_t n = 0;

    bh_list_each_safe (l, next, from) {
        bh_list_del(l);
        bh_list_add(to, l);
        n++;
    }
    return n;
}

bool
bh_record_telemetry(struct bh_record *r, struct bh_link *beacons, int rows,
                    int days)
{
    size_t n = 0;

    bh_list_each (l, beacons) n++;
    if (r->n_beacons + n > BEACONS_MAX) {
        bh_count(BH_M_TELEMETRY_DROPPED, n);
        return false;
    }
    if (r->n_beacons == 0) r->due_at = bh_now_ms() + BEACONS_MS;
    r->n_beacons += move(&r->beacons, beacons);
    r->rows = rows;
    r->days = days;
    return true;
}

/* ---- deliveries ---- */

/* Where there is no room or no memory they are left out: it is a record for
 * people, and incomplete by its nature. */
void
bh_record_deliveries(struct bh_record *r, const struct bh_job *job)
{
    struct bh_delivery d = {.took_us = bh_now_us() - job->queued_us};

    if (r->deliveries_kept == 0) return;
    if (r->deliveries.len == 0)
        r->deliveries_due_at = bh_now_ms() + DELIVERIES_MS;
    for (size_t i = 0; i < job->batch.n; i++) {
        if (job->results[i].what != BH_STORED) continue;
        if (r->deliveries.len >= DELIVERIES_MAX * sizeof d) return;
        d.seq = job->results[i].seq;
        d.woken = job->results[i].woken;
        bh_buf_add(&r->deliveries, &d, sizeof d);
    }
}

/* ---- out again ---- */

void
bh_record_take(struct bh_record *r, struct bh_group *group, bool all,
               int64_t now_ms)
{
    move(&group->notes, &r->notes);
    r->n_notes = 0;
    if (all || !bh_list_empty(&group->notes) ||
        (r->deliveries.len > 0 && r->deliveries_due_at <= now_ms)) {
        group->deliveries = r->deliveries; /* the memory goes with them */
        group->deliveries_kept = r->deliveries_kept;
        r->deliveries = (struct bh_buf)BH_BUF_INIT;
    }
    if (!all && bh_list_empty(&group->notes) &&
        (r->n_beacons == 0 || r->due_at > now_ms))
        return;
    move(&group->beacons, &r->beacons);
    r->n_beacons = 0;
    group->rows = r->rows;
    group->days = r->days;
}

int
bh_record_timeout(const struct bh_record *r, int64_t now_ms)
{
    int64_t due = INT64_MAX;

    if (r->n_notes > 0) return 0;
    if (r->n_beacons > 0) due = r->due_at;
    if (r->deliveries.len > 0 && r->deliveries_due_at < due)
        due = r->deliveries_due_at;
    if (due == INT64_MAX) return -1;
    return due > now_ms ? (int)(due - now_ms) : 0;
}

void
bh_record_free(struct bh_group *group)
{
    bh_list_each_safe (l, next, &group->notes) {
        bh_list_del(l);
        bh_free(bh_note_of(l));
    }
    bh_beacons_free(&group->beacons);
    bh_buf_fini(&group->deliveries);
}
