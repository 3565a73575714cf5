/* What an operator has said: the tables denied and domain_switches. */
#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <string.h>

#include "clock.h"

static const char *const kinds[] = {
    [BH_DENIED_JTI] = "jti", [BH_DENIED_SUB] = "sub"};

static void
bind_text(sqlite3_stmt *q, int i, struct bh_str v)
{
    bh_store_bind(q, i, v.p ? v : (struct bh_str){"", 0});
}

static void
bind_key(sqlite3_stmt *q, enum bh_denied_kind kind, struct bh_str value,
         struct bh_str org)
{
    bh_store_bind(q, 1, (struct bh_str){kinds[kind], 3});
    bind_text(q, 2, value);
    bind_text(q, 3, org);
}

static bool
in_transaction(const struct bh_store *s)
{
    return s->locked && !sqlite3_get_autocommit(s->db);
}

/* ---- writing ---- */

/* So that the list is bounded by what is in force. */
static int
drop_ended(struct bh_store *s, int64_t now_ms)
{
    sqlite3_bind_int64(s->q[BH_Q_DENIED_ENDED], 1, now_ms);
    return bh_store_run(s, BH_Q_DENIED_ENDED);
}

static int
count_denied(struct bh_store *s, int64_t *n)
{
    sqlite3_stmt *q = s->q[BH_Q_DENIED_COUNT];

    *n = 0;
    if (sqlite3_step(q) == SQLITE_ROW) *n = sqlite3_column_int64(q, 0);
    return bh_store_reset(s, q);
}

int
bh_store_deny(struct bh_store *s, const struct bh_denied *d)
{
    sqlite3_stmt *q = s->q[BH_Q_DENY];
    int64_t n, now_ms = bh_wall_ms();

    if (!in_transaction(s)) return -EINVAL;
    int rc = drop_ended(s, now_ms);
    if (rc < 0) return rc;
    bind_key(q, d->kind, d->value, d->org);
    sqlite3_bind_int64(q, 4, d->until);
    bind_text(q, 5, d->reason);
    sqlite3_bind_int64(q, 6, now_ms);
    rc = bh_store_run(s, BH_Q_DENY);
    if (rc == 0) rc = count_denied(s, &n);
    if (rc == 0 && n > BH_DENIED_MAX)
        rc = bh_store_say(s, -EDQUOT,
                          "the deny list is full, with %d entries: remove some "
                          "(bellhopctl deny remove), or take the key that they "
                          "are signed with out of use",
                          BH_DENIED_MAX);
    return rc;
}

int
bh_store_undeny(struct bh_store *s, enum bh_denied_kind kind,
                struct bh_str value, struct bh_str org, bool *found)
{
    if (!in_transaction(s)) return -EINVAL;
    bind_key(s->q[BH_Q_UNDENY], kind, value, org);
    int rc = bh_store_run(s, BH_Q_UNDENY);
    *found = rc == 0 && sqlite3_changes(s->db) > 0;
    return rc;
}

int
bh_store_switch(struct bh_store *s, struct bh_str domain, bool enabled)
{
    sqlite3_stmt *q = s->q[BH_Q_SWITCH];

    if (!in_transaction(s)) return -EINVAL;
    bind_text(q, 1, domain);
    sqlite3_bind_int(q, 2, enabled);
    sqlite3_bind_int64(q, 3, bh_wall_ms());
    return bh_store_run(s, BH_Q_SWITCH);
}

/* ---- reading ---- */

int
bh_store_denied(struct bh_store *s, bh_denied_fn *fn, void *arg)
{
    sqlite3_stmt *q = s->q[BH_Q_DENIED];
    int left = BH_DENIED_MAX;

    while (left-- > 0 && sqlite3_step(q) == SQLITE_ROW) {
        struct bh_str kind = bh_store_column(q, 0);
        struct bh_denied d = {
            .kind = kind.len == 3 && memcmp(kind.p, "jti", 3) == 0
                        ? BH_DENIED_JTI
                        : BH_DENIED_SUB,
            .value = bh_store_column(q, 1),
            .org = bh_store_column(q, 2),
            .until = sqlite3_column_int64(q, 3),
            .reason = bh_store_column(q, 4),
            .created_at = sqlite3_column_int64(q, 5),
        };

        if (!fn(arg, &d)) break;
    }
    return bh_store_reset(s, q);
}

int
bh_store_switches(struct bh_store *s, bh_switch_fn *fn, void *arg)
{
    sqlite3_stmt *q = s->q[BH_Q_SWITCHES];
    int left = BH_SWITCHES_MAX;

    while (left-- > 0 && sqlite3_step(q) == SQLITE_ROW)
        if (!fn(arg, bh_store_column(q, 0), sqlite3_column_int(q, 1) != 0,
                sqlite3_column_int64(q, 2)))
            break;
    return bh_store_reset(s, q);
}

/* ---- as rules ---- */

struct filling {
    struct bh_rules *rules;
    int64_t now_ms;
    int rc;
};

static bool
take_denied(void *arg, const struct bh_denied *d)
{
    struct filling *f = arg;

    if (d->until == 0 || d->until > f->now_ms)
        f->rc = bh_rules_deny(f->rules, d->kind, d->value, d->org, d->until);
    return f->rc == 0;
}

static bool
take_switch(void *arg, struct bh_str domain, bool enabled,
            int64_t changed_at BH_UNUSED)
{
    struct filling *f = arg;

    if (!enabled) f->rc = bh_rules_switch_off(f->rules, domain);
    return f->rc == 0;
}

int
bh_store_rules(struct bh_store *s, struct bh_rules **out)
{
    struct filling f = {bh_rules_new(), bh_wall_ms(), 0};

    *out = NULL;
    if (!f.rules) return -ENOMEM;
    int rc = bh_store_denied(s, take_denied, &f);
    if (rc == 0) rc = f.rc;
    if (rc == 0) rc = bh_store_switches(s, take_switch, &f);
    if (rc == 0) rc = f.rc;
    if (rc < 0) {
        bh_rules_put(f.rules);
        return rc;
    }
    bh_rules_seal(f.rules);
    *out = f.rules;
    return 0;
}
