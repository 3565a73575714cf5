#include "credentials.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAP_DAC_OVERRIDE_BIT 1 /* linux/capability.h */

/* ---- who ---- */

static void
name_of(struct bh_credentials *c)
{
    const struct passwd *pw = getpwuid(c->uid);

    if (pw != NULL)
        snprintf(c->name, sizeof c->name, "%s", pw->pw_name);
    else
        snprintf(c->name, sizeof c->name, "user %ld", (long)c->uid);
}

bool
bh_credentials_of_user(struct bh_credentials *c, const char *name)
{
    const struct passwd *pw = getpwnam(name);

    if (pw == NULL) return false;
    *c = (struct bh_credentials){.uid = pw->pw_uid,
                                 .gid = pw->pw_gid,
                                 .n_groups = BH_GROUPS_MAX,
                                 .may_all = pw->pw_uid == 0};
    if (getgrouplist(name, pw->pw_gid, c->groups, &c->n_groups) < 0)
        c->n_groups = BH_GROUPS_MAX;
    name_of(c);
    return true;
}

static void
read_groups(struct bh_credentials *c, const char *list)
{
    char *end;

    for (c->n_groups = 0; c->n_groups < BH_GROUPS_MAX; list = end) {
        unsigned long gid = strtoul(list, &end, 10);
        if (end == list) return;
        c->groups[c->n_groups++] = (gid_t)gid;
    }
}

/* One line of /proc/PID/status; the effective ids count. */
static void
read_line(struct bh_credentials *c, const char *line)
{
    unsigned real, effective;
    uint64_t capabilities;

    if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
        c->uid = effective;
    else if (sscanf(line, "Gid: %u %u", &real, &effective) == 2)
        c->gid = effective;
    else if (strncmp(line, "Groups:", 7) == 0)
        read_groups(c, line + 7);
    else if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
        c->may_all = (capabilities >> CAP_DAC_OVERRIDE_BIT & 1) != 0;
}

bool
bh_credentials_of_process(struct bh_credentials *c, pid_t pid)
{
    char path[64], line[4096];

    *c = (struct bh_credentials){.uid = (uid_t)-1};
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return false;
    while (fgets(line, sizeof line, f) != NULL) read_line(c, line);
    fclose(f);
    name_of(c);
    return c->uid != (uid_t)-1;
}

/* ---- whether ---- */

static void
become(const struct bh_credentials *c)
{
    if (setgroups((size_t)c->n_groups, c->groups) != 0 ||
        setresgid(c->gid, c->gid, c->gid) != 0 ||
        setresuid(c->uid, c->uid, c->uid) != 0)
        _exit(ENOSYS);
}

/* The folders on the way, then PATH itself; *AT is where it ended. */
static int
walk(const char *path, int mode, size_t *at)
{
    char part[4096];
    size_t len = strlen(path);

    if (len >= sizeof part) return ENAMETOOLONG;
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/') continue;
        *at = i;
        memcpy(part, path, i);
        part[i] = '\0';
        if (access(part, X_OK) != 0) return errno;
    }
    *at = len;
    return access(path, mode) == 0 ? 0 : errno;
}

struct outcome {
    int error;
    size_t at;
};

static void
look(const struct bh_credentials *c, const char *path, int mode, int to)
{
    struct outcome o = {0, 0};

    become(c);
    o.error = walk(path, mode, &o.at);
    _exit(write(to, &o, sizeof o) == sizeof o ? 0 : ENOSYS);
}

int
bh_may(const struct bh_credentials *c, const char *path, int mode, size_t *at)
{
    struct outcome o = {ENOSYS, strlen(path)};
    int pipes[2];

    *at = o.at;
    if (c->may_all && geteuid() != 0) return 0; /* what we may is no measure */
    if (c->uid == geteuid() || c->may_all) return -walk(path, mode, at);
    if (geteuid() != 0) return -ENOSYS;
    if (pipe(pipes) != 0) return -errno;
    pid_t child = fork();
    if (child == 0) look(c, path, mode, pipes[1]);
    close(pipes[1]);
    if (child < 0 || read(pipes[0], &o, sizeof o) != sizeof o) o.error = ENOSYS;
    close(pipes[0]);
    if (child > 0) waitpid(child, NULL, 0);
    *at = o.at;
    return -o.error;
}
