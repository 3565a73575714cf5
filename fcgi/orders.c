#include "orders.h"

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "log.h"
#include "page.h"

#define READ_MS  5000 /* the tables are read so often without being told */
#define RETRY_MS 1000 /* after a failure nobody tries again for so long */

/* ---- the configuration ---- */

static void
log_mistake(void *arg BH_UNUSED, const char *message)
{
    bh_log(BH_ERROR, "%s", message);
}

static void
set_level(const struct bh_orders *c, const struct bh_conf *conf)
{
    uint8_t level = c->seen.level[BH_PART_WORKER];

    bh_log_level(level > 0 ? (enum bh_level)(level - 1) : conf->log_level);
}

static bool
keep_fixed(struct bh_orders *c, struct bh_conf *fresh)
{
    struct bh_buf names = BH_BUF_INIT;
    bool kept = bh_conf_keep_fixed(fresh, c->first->conf, &names);

    bh_buf_fini(&names);
    return kept;
}

static bool
read_setup(struct bh_orders *c)
{
    struct bh_setup *s = bh_setup_read(c->conf_path, log_mistake, NULL);

    if (s == NULL || !keep_fixed(c, s->conf)) {
        bh_log(BH_ERROR, "the configuration and keys stay as they were");
        bh_setup_put(s);
        return false;
    }
    set_level(c, s->conf);
    bh_setup_replace(c->setup, s);
    return true;
}

static bool
reload(struct bh_orders *c)
{
    bool done = read_setup(c);

    if (done) bh_log(BH_NOTICE, "read %s and its keys again", c->conf_path);
    return done;
}

bool
bh_orders_reload(struct bh_orders *c)
{
    pthread_mutex_lock(&c->lock);
    bool done = reload(c);
    pthread_mutex_unlock(&c->lock);
    return done;
}

/* ---- the rules ---- */

static void
use_rules(struct bh_orders *c, struct bh_rules *fresh)
{
    bh_rules_put(c->rules);
    c->rules = fresh;
}

/* Where there is no log yet nobody is denied. */
static int
load_rules(struct bh_rules **out, struct bh_orders *c)
{
    int rc = bh_page_log(&c->log, c->first->conf->log.path);

    if (rc == 0) return bh_store_rules(c->log, out);
    if (rc != -ENOENT) return rc;
    *out = bh_rules_new();
    return *out != NULL ? 0 : -ENOMEM;
}

/* Those that are in force stay where the tables can't be read. */
static bool
read_rules(struct bh_orders *c, int64_t now)
{
    struct bh_rules *fresh = NULL;
    int rc = load_rules(&fresh, c);

    c->read_at = now + READ_MS;
    if (rc == 0) {
        use_rules(c, fresh);
        return true;
    }
    bh_log(BH_ERROR, "can't read the deny list: %s: %s", bh_store_error(c->log),
           strerror(-rc));
    bh_store_close(c->log);
    c->log = NULL;
    c->retry_at = now + RETRY_MS;
    return false;
}

/* ---- the page ---- */

/* Where it is missing or damaged it is laid anew, and everything is read. */
static int
read_page(struct bh_orders *c, struct bh_ctlpage *page)
{
    int rc = bh_ctlpage_read(&c->page, page);

    if (rc == 0) return 0;
    rc = bh_ctlpage_change(c->first->conf->log.path, &bh_ctlchange_none);
    if (rc == 0) rc = bh_ctlpage_read(&c->page, page);
    if (rc < 0 && !c->damaged)
        bh_log(BH_ERROR,
               "%s: %s: changes made with bellhopctl arrive late, and "
               "bellhopctl reload not at all; see who may write there",
               c->page.path, strerror(-rc));
    c->damaged = rc < 0;
    return rc;
}

/* What has changed since the page was last seen. */
static void
heed(struct bh_orders *c, const struct bh_ctlpage *page, int64_t now)
{
    struct bh_ctlpage was = c->seen;
    bool rules = page->rules != was.rules;

    if (rules && now < c->retry_at) rules = false;
    c->seen = *page;
    c->seen.rules = was.rules;
    if (rules && read_rules(c, now)) c->seen.rules = page->rules;
    if (page->conf != was.conf) reload(c);
    if (page->level[BH_PART_WORKER] != was.level[BH_PART_WORKER]) {
        struct bh_setup *s = bh_setup_get(c->setup);
        set_level(c, s->conf);
        bh_setup_put(s);
    }
}

static void
look(struct bh_orders *c)
{
    struct bh_ctlpage page;
    int64_t now = bh_now_ms();

    if (!c->damaged || now >= c->retry_at) {
        if (read_page(c, &page) == 0)
            heed(c, &page, now);
        else
            c->retry_at = now + RETRY_MS;
    }
    if (now >= c->read_at) read_rules(c, now);
}

/* Not twice within BH_CTLPAGE_STALE_US; a clock that stands still isn't
 * believed. */
static bool
is_time(struct bh_orders *c)
{
    int64_t now = bh_now_us();

    if (now > c->looked_us && now < c->looked_us + BH_CTLPAGE_STALE_US)
        return false;
    c->looked_us = now;
    return true;
}

void
bh_orders_look(struct bh_orders *c, struct bh_rules **rules)
{
    pthread_mutex_lock(&c->lock);
    if (is_time(c)) look(c);
    if (rules != NULL) *rules = bh_rules_get(c->rules);
    pthread_mutex_unlock(&c->lock);
}

bool
bh_orders_revoked(const struct bh_rules *rules, const struct bh_claims *claims)
{
    const char *org = claims->org != NULL ? claims->org : "";
    const char *jti = claims->jti != NULL ? claims->jti : "";
    struct bh_str of = {org, strlen(org)};
    int64_t now = bh_wall_ms();

    return bh_rules_denied(rules, BH_DENIED_JTI,
                           (struct bh_str){jti, strlen(jti)}, of, now) ||
           bh_rules_denied(rules, BH_DENIED_SUB,
                           (struct bh_str){claims->user, strlen(claims->user)},
                           of, now);
}

/* ---- its life ---- */

int
bh_orders_init(struct bh_orders *c, const char *conf_path,
               const struct bh_setup *first, struct bh_setup_slot *slot)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->conf_path = conf_path;
    c->first = first;
    c->setup = slot;
    int rc = bh_ctlfile_init(&c->page, first->conf->log.path);
    /* FIRST may be older than the page, which then says nothing new. */
    if (rc == 0 && read_page(c, &c->seen) == 0) read_setup(c);
    return rc;
}

void
bh_orders_fini(struct bh_orders *c)
{
    bh_ctlfile_fini(&c->page);
    bh_store_close(c->log);
    bh_rules_put(c->rules);
    pthread_mutex_destroy(&c->lock);
}
