#include "base.h"
#include "channel.h"

#include <stdio.h>
#include <string.h>

#include "broker.h"
#include "buf.h"
#include "domain.h"
#include "mem.h"

struct bh_str
bh_item_property(const struct bh_item *i)
{
    if (i->property < 0) return (struct bh_str){NULL, 0};
    return (struct bh_str){i->text + i->len, (size_t)i->property};
}

static uint64_t
hash_name(struct bh_str domain, struct bh_str org)
{
    return bh_hash_more(bh_hash(domain.p, domain.len), org.p, org.len);
}

static bool
is_named(const struct bh_channel *ch, struct bh_str domain, struct bh_str org)
{
    return ch->domain_len == domain.len && ch->org_len == org.len &&
           memcmp(ch->name, domain.p, domain.len) == 0 &&
           memcmp(ch->name + domain.len, org.p, org.len) == 0;
}

struct bh_channel *
bh_channel_find(const struct bh_broker *b, struct bh_str domain,
                struct bh_str org)
{
    struct bh_node *n = bh_map_find(&b->channels, hash_name(domain, org));

    for (; n; n = bh_map_next(n)) {
        struct bh_channel *ch = bh_container_of(n, struct bh_channel, node);

        if (is_named(ch, domain, org)) return ch;
    }
    return NULL;
}

static struct bh_channel *
channel_new(struct bh_broker *b, struct bh_str domain, struct bh_str org)
{
    struct bh_channel *ch = bh_zalloc(sizeof *ch + domain.len + org.len);

    if (!ch) return NULL;
    bh_list_init(&ch->idle);
    bh_list_init(&ch->due);
    bh_list_init(&ch->waiters);
    ch->domain = bh_domain_get(b, domain);
    ch->domain->v[BH_M_ORGS]++;
    ch->floor = b->floor;
    ch->delivered = b->head;
    ch->woke = INT64_MIN / 2; /* long ago: the first event goes at once */
    ch->domain_len = (uint8_t)domain.len;
    ch->org_len = (uint8_t)org.len;
    memcpy(ch->name, domain.p, domain.len);
    memcpy(ch->name + domain.len, org.p, org.len);
    bh_map_add(&b->channels, &ch->node, hash_name(domain, org));
    return ch;
}

/* At the configured number the channel that has been idle longest makes room.
 */
static bool
make_room(struct bh_broker *b)
{
    struct bh_channel *oldest;

    if (b->channels.count < (size_t)b->conf->broker.channels) return true;
    oldest = bh_list_first(&b->idle, struct bh_channel, idle);
    if (!oldest) return false;
    bh_channel_free(b, oldest);
    return true;
}

struct bh_channel *
bh_channel_get(struct bh_broker *b, struct bh_str domain, struct bh_str org)
{
    struct bh_channel *ch = bh_channel_find(b, domain, org);

    if (!ch && make_room(b)) ch = channel_new(b, domain, org);
    if (ch) bh_channel_touch(b, ch);
    return ch;
}

void
bh_channel_free(struct bh_broker *b, struct bh_channel *ch)
{
    while (ch->first) bh_channel_shift(b, ch);
    bh_list_del(&ch->idle);
    bh_list_del(&ch->due);
    bh_map_del(&b->channels, &ch->node);
    ch->domain->v[BH_M_ORGS]--;
    bh_free(ch);
}

void
bh_channel_touch(struct bh_broker *b, struct bh_channel *ch)
{
    ch->active = b->now;
    bh_list_del(&ch->idle);
    if (ch->n_waiters == 0) bh_list_add(&b->idle, &ch->idle);
}

static void
raise_floor(struct bh_broker *b, struct bh_channel *ch, int64_t seq)
{
    if (ch && ch->floor < seq) ch->floor = seq;
    if (b->floor < seq) b->floor = seq;
}

static void
count_dropped(struct bh_broker *b, struct bh_channel *ch)
{
    b->stats.dropped++;
    ch->domain->v[BH_M_DROPPED]++;
}

void
bh_channel_skip(struct bh_broker *b, struct bh_channel *ch, int64_t seq)
{
    while (ch && ch->first) {
        bh_channel_shift(b, ch);
        count_dropped(b, ch);
    }
    raise_floor(b, ch, seq);
}

static struct bh_item *
item_new(int64_t seq, struct bh_str text, struct bh_str property)
{
    char tail[32];
    size_t n =
        (size_t)snprintf(tail, sizeof tail, ",\"seq\":%lld}", (long long)seq);
    struct bh_item *i = bh_alloc(sizeof *i + text.len - 1 + n + property.len);

    if (!i) return NULL;
    i->seq = seq;
    i->next = NULL;
    i->len = (uint32_t)(text.len - 1 + n);
    i->property = property.p ? (int16_t)property.len : -1;
    memcpy(i->text, text.p, text.len - 1); /* all but the closing brace */
    memcpy(i->text + text.len - 1, tail, n);
    if (property.len > 0) memcpy(i->text + i->len, property.p, property.len);
    return i;
}

static size_t
item_size(const struct bh_item *i)
{
    return sizeof *i + i->len + (i->property > 0 ? (size_t)i->property : 0);
}

bool
bh_channel_push(struct bh_broker *b, struct bh_channel *ch, int64_t seq,
                struct bh_str text, struct bh_str property, int64_t expires)
{
    struct bh_item *i = text.len >= 2 ? item_new(seq, text, property) : NULL;

    if (!i) {
        bh_channel_skip(b, ch, seq);
        return false;
    }
    i->channel = ch;
    i->prev = ch->last;
    i->expires = expires;
    if (ch->last)
        ch->last->next = i;
    else
        ch->first = i;
    ch->last = i;
    ch->n_items++;
    bh_domain_resize(ch->domain, ch->n_items - 1, ch->n_items);
    ch->domain->v[BH_M_BUFFERED_BYTES] += item_size(i);
    bh_list_add(&b->age, &i->age);
    b->n_items++;
    b->item_bytes += item_size(i);
    return true;
}

struct bh_item *
bh_channel_after(const struct bh_channel *ch, int64_t seq)
{
    struct bh_item *i = ch->last;

    /* Most cursors are near the end. */
    if (!i || i->seq <= seq) return NULL;
    while (i->prev && i->prev->seq > seq) i = i->prev;
    return i;
}

void
bh_channel_shift(struct bh_broker *b, struct bh_channel *ch)
{
    struct bh_item *i = ch->first;

    ch->first = i->next;
    if (ch->first)
        ch->first->prev = NULL;
    else
        ch->last = NULL;
    ch->n_items--;
    bh_domain_resize(ch->domain, ch->n_items + 1, ch->n_items);
    ch->domain->v[BH_M_BUFFERED_BYTES] -= item_size(i);
    raise_floor(b, ch, i->seq);
    bh_list_del(&i->age);
    b->n_items--;
    b->item_bytes -= item_size(i);
    bh_free(i);
}

void
bh_channel_trim(struct bh_broker *b, struct bh_channel *ch)
{
    while (ch->n_items > (uint32_t)b->conf->broker.buffer_events) {
        bh_channel_shift(b, ch);
        count_dropped(b, ch);
    }
}

static void
expire_items(struct bh_broker *b)
{
    struct bh_item *i;

    while ((i = bh_list_first(&b->age, struct bh_item, age))) {
        if (i->expires <= b->now) {
            b->stats.expired++;
            i->channel->domain->v[BH_M_EXPIRED]++;
        } else if (b->item_bytes > (size_t)b->conf->broker.buffer_bytes) {
            count_dropped(b, i->channel);
        } else {
            break;
        }
        /* The oldest of all is the oldest of its channel too. */
        bh_channel_shift(b, i->channel);
    }
}

static void
expire_channels(struct bh_broker *b)
{
    struct bh_channel *ch;

    while ((ch = bh_list_first(&b->idle, struct bh_channel, idle))) {
        if (ch->active + b->conf->broker.channel_idle_ms > b->now) break;
        bh_channel_free(b, ch);
    }
}

void
bh_channels_expire(struct bh_broker *b)
{
    expire_items(b);
    expire_channels(b);
}

int64_t
bh_channels_next(const struct bh_broker *b)
{
    const struct bh_item *i = bh_list_first(&b->age, struct bh_item, age);
    const struct bh_channel *ch =
        bh_list_first(&b->idle, struct bh_channel, idle);
    int64_t next = i ? i->expires : INT64_MAX;

    if (ch && ch->active + b->conf->broker.channel_idle_ms < next)
        next = ch->active + b->conf->broker.channel_idle_ms;
    return next;
}

void
bh_channels_clear(struct bh_broker *b, int64_t seq)
{
    struct bh_item *i;

    while ((i = bh_list_first(&b->age, struct bh_item, age)))
        bh_channel_shift(b, i->channel);
    b->floor = seq;
    /* Nobody waits any more when a log has gone: channels can go as well. */
    struct bh_channel *ch;
    while ((ch = bh_list_first(&b->idle, struct bh_channel, idle)))
        bh_channel_free(b, ch);
}
