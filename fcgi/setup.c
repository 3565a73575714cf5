#include "setup.h"

#include "mem.h"

struct bh_setup *
bh_setup_read(const char *path, bh_conf_error_fn *fn, void *arg)
{
    char err[512] = "";
    struct bh_setup *s = bh_zalloc(sizeof *s);

    if (s == NULL) {
        fn(arg, "no memory for the configuration");
        return NULL;
    }
    s->refs = 1;
    s->conf = bh_conf_read(path, fn, arg);
    if (s->conf != NULL && bh_auth_new(&s->auth, s->conf, err, sizeof err) == 0)
        return s;
    if (s->conf != NULL) fn(arg, err);
    bh_conf_free(s->conf);
    bh_free(s);
    return NULL;
}

void
bh_setup_put(struct bh_setup *s)
{
    if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    bh_auth_free(s->auth);
    bh_conf_free(s->conf);
    bh_free(s);
}

void
bh_setup_slot_init(struct bh_setup_slot *slot, struct bh_setup *s)
{
    pthread_mutex_init(&slot->lock, NULL);
    slot->now = s;
}

void
bh_setup_slot_fini(struct bh_setup_slot *slot)
{
    bh_setup_put(slot->now);
    pthread_mutex_destroy(&slot->lock);
}

struct bh_setup *
bh_setup_get(struct bh_setup_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct bh_setup *s = slot->now;
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&slot->lock);
    return s;
}

void
bh_setup_replace(struct bh_setup_slot *slot, struct bh_setup *s)
{
    pthread_mutex_lock(&slot->lock);
    struct bh_setup *old = slot->now;
    slot->now = s;
    pthread_mutex_unlock(&slot->lock);
    bh_setup_put(old);
}
