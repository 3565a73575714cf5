/*
 * orders.h: what an operator says to a running worker. Before each request the
 * control page is looked at (ctlpage.h), unless that was a moment ago, and
 * every second by a thread that has none. Whoever changes it waits for that
 * moment, so every process of a log has heard of a change by the time it is
 * reported done: the rules are then read from the log's tables, the
 * configuration from its file.
 */
#ifndef BH_ORDERS_H
#define BH_ORDERS_H

#include "base.h"

#include <pthread.h>

#include "auth.h"
#include "ctlpage.h"
#include "rules.h"
#include "setup.h"
#include "store.h"

/* All of it under the lock. */
struct bh_orders {
    pthread_mutex_t lock;
    const char *conf_path;
    const struct bh_setup *first; /* what was there at the start */
    struct bh_setup_slot *setup;
    struct bh_ctlfile page;
    struct bh_ctlpage seen;
    int64_t looked_us;    /* monotonic, when it was seen */
    bool damaged;         /* the page can't be read, and the log says so */
    struct bh_store *log; /* to read the tables with; NULL until it is there */
    struct bh_rules *rules; /* NULL: none could be read so far */
    int64_t read_at;        /* monotonic ms: read the tables in any case */
    int64_t retry_at;       /* and not before, where they can't be read */
};

/* FIRST and SLOT outlive it, and so does CONF_PATH. Reads the configuration
 * once more: a reload may have come after FIRST was read. 0 or -ENOMEM. */
int bh_orders_init(struct bh_orders *c, const char *conf_path,
                   const struct bh_setup *first, struct bh_setup_slot *slot);
void bh_orders_fini(struct bh_orders *c);

/*
 * Do what has been asked for since the last look. RULES may be NULL; *RULES is
 * a reference to what is in force, or NULL where the rules have never been
 * read, since the log can't be: then nobody is known not to be denied.
 */
void bh_orders_look(struct bh_orders *c, struct bh_rules **rules);
/* Read configuration and keys now. False: mistakes, which the log has; all is
 * as it was. */
bool bh_orders_reload(struct bh_orders *c);

/* Whether the operator has revoked this token, or its user. */
bool bh_orders_revoked(const struct bh_rules *rules,
                       const struct bh_claims *claims);

#endif
