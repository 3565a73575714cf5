#include "base.h"
#include "control.h"

#include <errno.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "log.h"
#include "waiter.h"

#define LOOK_MS 100  /* between two looks at the control page */
#define READ_MS 5000 /* the tables are read so often without being told */
#define TELL_MS 1000 /* bellhopctl says RELOAD so soon after the page moved */
#define GONE_MS 2000 /* the workers follow a reload within a second or so */

static const char session_ended[] =
    "The operator has ended this session; sign in again.";
static const char revoked[] =
    "The operator has revoked this user's tokens; sign in again.";

/* ---- ending what waits ---- */

/*
 * Every waiter that an operator ends passes here, whatever its kind. A poll
 * gets the refusal as its answer. STREAMS: a kind whose head has been sent
 * ends its body in its own way here, with R's word as the reason.
 */
static void
end_waiter(struct bh_waiter *w, enum bh_refusal r, const char *detail)
{
    bh_waiter_end(w, r, detail);
}

static struct bh_str
domain_of(const struct bh_channel *ch)
{
    return (struct bh_str){ch->name, ch->domain_len};
}

static bool
same(struct bh_str a, struct bh_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* All of U's, or those of DOMAIN. U is counted up meanwhile, so that its last
 * waiter doesn't take it along. */
static uint32_t
end_user(struct bh_broker *b, struct bh_user *u, struct bh_str domain,
         const char *detail)
{
    uint32_t n = 0;

    u->n_waiters++;
    bh_list_each_safe (l, next, &u->waiters) {
        struct bh_waiter *w = bh_container_of(l, struct bh_waiter, in_user);

        if (domain.len > 0 && !same(domain, domain_of(w->channel))) continue;
        end_waiter(w, BH_TOKEN_INVALID, detail);
        n++;
    }
    u->n_waiters--;
    bh_user_put(&b->users, u);
    return n;
}

/* Every user who waits and whom WANTED picks. */
static uint32_t
end_users(struct bh_broker *b,
          bool (*wanted)(const struct bh_broker *b, const struct bh_user *u,
                         const struct bh_end *m),
          const struct bh_end *m, const char *detail)
{
    struct bh_str domain = m ? m->domain : (struct bh_str){"", 0};
    uint32_t n = 0;

    for (size_t i = 0; i < b->users.buckets; i++)
        for (struct bh_node *at = b->users.v[i], *next; at; at = next) {
            struct bh_user *u = bh_container_of(at, struct bh_user, node);

            next = at->next;
            if (wanted(b, u, m)) n += end_user(b, u, domain, detail);
        }
    return n;
}

static struct bh_str
org_of(const struct bh_user *u)
{
    return (struct bh_str){u->name, u->org_len};
}

static struct bh_str
name_of(const struct bh_user *u)
{
    return (struct bh_str){u->name + u->org_len, u->name_len};
}

static bool
of_org(const struct bh_broker *b BH_UNUSED, const struct bh_user *u,
       const struct bh_end *m)
{
    return same(org_of(u), m->org);
}

uint32_t
bh_control_end(struct bh_broker *b, const struct bh_end *m)
{
    char org[BH_WORD_MAX], user[BH_WORD_MAX];
    uint32_t n = 0;

    if (m->user.len > 0) {
        struct bh_user *u = bh_user_find(&b->users, m->org, m->user);
        if (u) n = end_user(b, u, m->domain, session_ended);
    } else {
        n = end_users(b, of_org, m, session_ended);
    }
    bh_log(BH_NOTICE, "ended %u requests of org %s, user %s", n,
           bh_log_field(org, sizeof org, m->org.p, m->org.len),
           bh_log_field(user, sizeof user, m->user.p, m->user.len));
    return n;
}

/* ---- the rules ---- */

static bool
is_denied(const struct bh_broker *b, const struct bh_user *u,
          const struct bh_end *m BH_UNUSED)
{
    return bh_rules_denied(b->control.rules, BH_DENIED_SUB, name_of(u),
                           org_of(u), bh_wall_ms());
}

/* A domain that the configuration doesn't know is the worker's to judge: it may
 * have read a newer one. */
static bool
is_off(const struct bh_broker *b, struct bh_str domain)
{
    const struct bh_conf_domain *d =
        bh_conf_domain(b->conf, domain.p, domain.len);

    return (d && !d->enabled) || bh_rules_off(b->control.rules, domain);
}

/* The workers hear of a reload after the broker: what they hand over meanwhile
 * would wait in a domain that is gone. */
static bool
is_gone(const struct bh_broker *b, struct bh_str domain)
{
    const struct bh_control *c = &b->control;

    return c->before && b->now < c->before_until &&
           bh_conf_domain(c->before, domain.p, domain.len) &&
           !bh_conf_domain(b->conf, domain.p, domain.len);
}

enum bh_refusal
bh_control_judge(const struct bh_broker *b, struct bh_str domain,
                 struct bh_str org, struct bh_str user)
{
    if (is_off(b, domain)) return BH_DOMAIN_DISABLED;
    if (is_gone(b, domain)) return BH_NOT_FOUND;
    return bh_rules_denied(b->control.rules, BH_DENIED_SUB, user, org,
                           bh_wall_ms())
               ? BH_TOKEN_INVALID
               : BH_GRANTED;
}

static uint32_t
end_channel(struct bh_channel *ch, enum bh_refusal r)
{
    uint32_t n = 0;

    bh_list_each_safe (l, next, &ch->waiters) {
        end_waiter(bh_container_of(l, struct bh_waiter, in_channel), r, NULL);
        n++;
    }
    return n;
}

/* Whoever waits in a domain that is off, or, given WAS, in one that the
 * configuration has no more. */
static uint32_t
end_domains(struct bh_broker *b, const struct bh_conf *was)
{
    uint32_t n = 0;

    for (size_t i = 0; i < b->channels.buckets; i++)
        for (struct bh_node *at = b->channels.v[i]; at; at = at->next) {
            struct bh_channel *ch =
                bh_container_of(at, struct bh_channel, node);
            struct bh_str d = domain_of(ch);

            if (ch->n_waiters == 0) continue;
            if (is_off(b, d))
                n += end_channel(ch, BH_DOMAIN_DISABLED);
            else if (was && bh_conf_domain(was, d.p, d.len) &&
                     !bh_conf_domain(b->conf, d.p, d.len))
                n += end_channel(ch, BH_NOT_FOUND);
        }
    return n;
}

static uint32_t
enforce(struct bh_broker *b, const struct bh_conf *was)
{
    uint32_t n = end_domains(b, was);

    if (bh_rules_count(b->control.rules, BH_DENIED_SUB) > 0)
        n += end_users(b, is_denied, NULL, revoked);
    if (n > 0)
        bh_log(BH_NOTICE, "ended %u requests by the operator's rules", n);
    return n;
}

/* Without a log, or where it can't be read, the rules stay as they were. */
static uint32_t
read_rules(struct bh_broker *b)
{
    struct bh_control *c = &b->control;
    struct bh_rules *fresh;

    c->read_at = b->now + READ_MS;
    if (!b->store || bh_store_rules(b->store, &fresh) < 0) return 0;
    c->unread = false;
    if (bh_rules_same(fresh, c->rules)) {
        bh_rules_put(fresh);
        return 0;
    }
    bh_rules_put(c->rules);
    c->rules = fresh;
    return enforce(b, NULL);
}

/* ---- the page ---- */

static void
set_level(const struct bh_broker *b)
{
    uint8_t level = b->control.seen.level[BH_PART_BROKER];

    bh_log_level(level > 0 ? (enum bh_level)(level - 1) : b->conf->log_level);
}

/* A page that is missing or damaged is a worker's to mend: the broker only
 * reads what belongs to the log. */
static void
look(struct bh_broker *b)
{
    struct bh_control *c = &b->control;
    struct bh_ctlpage page;

    c->look_at = b->now + LOOK_MS;
    if (bh_ctlpage_read(&c->page, &page) < 0) return;
    if (page.rules != c->seen.rules) c->unread = true;
    bool levels = page.level[BH_PART_BROKER] != c->seen.level[BH_PART_BROKER];
    c->seen = page;
    if (levels) set_level(b);
}

void
bh_control_tick(struct bh_broker *b)
{
    struct bh_control *c = &b->control;

    bool due = b->now >= c->look_at;

    if (due) look(b);
    if (!(c->unread && (due || !c->rules)) && b->now < c->read_at) return;
    uint32_t n = read_rules(b);
    if (n == 0) return;
    c->untold = n;
    c->untold_until = b->now + TELL_MS;
}

/* The page moves a moment before the RELOAD comes: whom a tick in between has
 * ended belongs to the same word of the operator's. */
static uint32_t
take_untold(struct bh_broker *b)
{
    struct bh_control *c = &b->control;
    uint32_t n = b->now < c->untold_until ? c->untold : 0;

    c->untold = 0;
    return n;
}

uint32_t
bh_control_reread(struct bh_broker *b)
{
    look(b);
    return read_rules(b) + take_untold(b);
}

int
bh_control_init(struct bh_broker *b)
{
    int rc = bh_ctlfile_init(&b->control.page, b->conf->log.path);

    b->control.unread = true;
    if (rc == 0) look(b);
    return rc;
}

void
bh_control_fini(struct bh_broker *b)
{
    bh_ctlfile_fini(&b->control.page);
    bh_rules_put(b->control.rules);
    b->control.rules = NULL;
    bh_conf_free(b->control.before);
    b->control.before = NULL;
}

/* ---- another configuration ---- */

static void
add_mistake(void *arg, const char *message)
{
    struct bh_buf *text = arg;

    bh_log(BH_ERROR, "%s", message);
    bh_buf_fmt(text, "%s\n", message);
}

static bool
refuse_reload(struct bh_conf *fresh, struct bh_buf *text, const char *why)
{
    if (why) add_mistake(text, why);
    bh_conf_free(fresh);
    bh_log(BH_ERROR, "the configuration stays as it was");
    return false;
}

bool
bh_control_reload(struct bh_broker *b, struct bh_buf *text, uint32_t *ended)
{
    struct bh_conf *was = b->conf;
    struct bh_conf *fresh = bh_conf_read(was->path, add_mistake, text);
    struct bh_buf names = BH_BUF_INIT;

    *ended = 0;
    if (!fresh) return refuse_reload(NULL, text, NULL);
    if (!bh_conf_keep_fixed(fresh, was, &names) || names.failed ||
        bh_broker_adopt(b, fresh) < 0) {
        bh_buf_fini(&names);
        return refuse_reload(fresh, text, "no memory for the configuration");
    }
    if (names.len > 0)
        bh_buf_fmt(text, "needs a restart: %s\n", bh_buf_cstr(&names));
    bh_buf_fini(&names);
    set_level(b);
    bh_log(BH_NOTICE, "configuration read again");
    look(b);
    *ended = read_rules(b) + enforce(b, was) + take_untold(b);
    bh_conf_free(b->control.before);
    b->control.before = was;
    b->control.before_until = b->now + GONE_MS;
    return true;
}
