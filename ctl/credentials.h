/* credentials.h: whether somebody else may open a file: asked of the kernel, by
 * a child that becomes that somebody. */
#ifndef BH_CTL_CREDENTIALS_H
#define BH_CTL_CREDENTIALS_H

#include "base.h"

#define BH_GROUPS_MAX 64

struct bh_credentials {
    uid_t uid;
    gid_t gid;
    gid_t groups[BH_GROUPS_MAX];
    int n_groups;
    bool may_all; /* root, or CAP_DAC_OVERRIDE */
    char name[BH_NAME_MAX + 1];
};

/* Of a user, as they would log in; of a process, as it is. False: there is none
 * of it. */
bool bh_credentials_of_user(struct bh_credentials *c, const char *name);
bool bh_credentials_of_process(struct bh_credentials *c, pid_t pid);

/* What MODE (R_OK, W_OK, …) of PATH comes to for C: 0; -ENOSYS where only root
 * could find out; else a negative errno, and *AT is the part of PATH that it
 * ends at, as its length. */
int bh_may(const struct bh_credentials *c, const char *path, int mode,
           size_t *at);

#endif
