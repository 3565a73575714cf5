/* setup.h: what SIGHUP replaces: the configuration and the keys. A request
 * holds a reference, so that it ends under the setup it began with. */
#ifndef BH_SETUP_H
#define BH_SETUP_H

#include "base.h"

#include <pthread.h>

#include "auth.h"
#include "conf.h"

struct bh_setup {
    unsigned refs; /* atomic */
    struct bh_conf *conf;
    struct bh_auth *auth;
};

/* Read the configuration at PATH and its keys. NULL where there is a mistake;
 * each has then gone to FN. */
struct bh_setup *bh_setup_read(const char *path, bh_conf_error_fn *fn,
                               void *arg);
void bh_setup_put(struct bh_setup *s); /* NULL is fine */

/* The setup that is in force. */
struct bh_setup_slot {
    pthread_mutex_t lock;
    struct bh_setup *now;
};

/* Takes the caller's reference over. */
void bh_setup_slot_init(struct bh_setup_slot *slot, struct bh_setup *s);
void bh_setup_slot_fini(struct bh_setup_slot *slot);
struct bh_setup *bh_setup_get(struct bh_setup_slot *slot);
/* Takes the caller's reference over. */
void bh_setup_replace(struct bh_setup_slot *slot, struct bh_setup *s);

#endif
