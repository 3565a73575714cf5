/* doctor_conf.c: the configuration and the keys. */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth.h"
#include "mem.h"

#define DISTINCT_MIN 12 /* different bytes of a secret that isn't made up */

/* ---- the configuration ---- */

static void
tell_mistake(void *arg, const char *message)
{
    bh_tell(arg, BH_WRONG, "correct it, then check it with bellhopd -t", "%s",
            message);
}

static const char *
first_domain(const struct bh_conf *conf)
{
    for (size_t i = 0; i < conf->n_domains; i++)
        if (conf->domains[i].enabled) return conf->domains[i].name;
    return NULL;
}

/* What is good by itself and bad together. */
static void
weigh(struct bh_doctor *d)
{
    const struct bh_conf *c = d->conf;

    if (c->broker.poll_ms + c->broker.poll_jitter_ms > 55000)
        bh_tell(d, BH_DOUBTFUL,
                "raise the web server's timeouts with it (docs/servers.md)",
                "a poll waits up to %d s, and deploy/'s web servers allow 60",
                (c->broker.poll_ms + c->broker.poll_jitter_ms) / 1000);
    if (c->broker.buffer_ms < c->broker.poll_ms / 2)
        bh_tell(d, BH_DOUBTFUL, "raise broker.buffer_seconds",
                "memory reaches back %d s and a poll %d s: clients will read "
                "much from history",
                c->broker.buffer_ms / 1000, c->broker.poll_ms / 1000);
    if (c->cors.n_origins == 0 && c->cors.n_origins_with_credentials == 0)
        bh_tell(d, BH_FINE, NULL,
                "no page of another origin may call (cors is empty)");
}

static void
weigh_file(struct bh_doctor *d)
{
    struct stat st;

    if (stat(d->conf_path, &st) != 0) return;
    if ((st.st_mode & S_IWOTH) != 0)
        bh_tell(d, BH_WRONG, "chmod o-w it", "%s: everybody may change it",
                d->conf_path);
}

void
bh_check_conf(struct bh_doctor *d)
{
    d->conf = bh_conf_read(d->conf_path, tell_mistake, d);
    weigh_file(d);
    if (d->conf == NULL) return;
    if (d->domain == NULL) d->domain = first_domain(d->conf);
    if (d->domain == NULL)
        bh_tell(d, BH_WRONG, "set enabled = true in one",
                "every domain is off");
    else if (bh_conf_domain(d->conf, d->domain, strlen(d->domain)) == NULL)
        bh_tell(d, BH_WRONG, "name another with --domain",
                "it has no domain %s", d->domain);
    else
        bh_tell(d, BH_FINE, NULL, "%s: %zu domain%s, %zu key%s", d->conf_path,
                d->conf->n_domains, d->conf->n_domains == 1 ? "" : "s",
                d->conf->n_keys, d->conf->n_keys == 1 ? "" : "s");
    weigh(d);
}

/* ---- keys ---- */

static bool
is_secret(const struct bh_conf_key *k)
{
    return k->algorithm[0] == 'H';
}

/* Whether everything but the worker's own check is well with the file. */
static bool
is_private(struct bh_doctor *d, const char *path, bool secret)
{
    struct stat st;

    if (stat(path, &st) != 0) return true; /* told of elsewhere */
    if (secret && (st.st_mode & S_IRWXO) != 0) {
        bh_tell(d, BH_WRONG, "chmod o= it, and make a new key: keys new",
                "%s (%04o): every user may read this secret", path,
                (unsigned)st.st_mode & 07777);
        return false;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        bh_tell(d, BH_WRONG, "chmod go-w it",
                "%s (%04o): others may put a key of theirs there", path,
                (unsigned)st.st_mode & 07777);
        return false;
    }
    return true;
}

/* "secretsecretsecret…" is as long as a good one. */
static bool
is_made_up(const char *path)
{
    unsigned char bytes[BH_KEY_FILE_MAX];
    bool seen[256] = {false};
    int distinct = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;

    if (fd >= 0) close(fd);
    for (ssize_t i = 0; i < n; i++) {
        distinct += !seen[bytes[i]];
        seen[bytes[i]] = true;
    }
    bh_wipe(bytes, sizeof bytes);
    return n > 0 && distinct < DISTINCT_MIN;
}

/* The worker's own judgement, of this key alone. */
static bool
is_usable(struct bh_doctor *d, struct bh_conf_key *k)
{
    struct bh_conf one = *d->conf;
    struct bh_auth *auth = NULL;
    char why[512];

    if (access(k->file, R_OK) != 0 && errno == EACCES && geteuid() != 0) {
        bh_tell(d, BH_SKIPPED, NULL,
                "%s: %s: run this as root or as the workers' user", k->file,
                strerror(EACCES));
        return false;
    }
    one.keys = k;
    one.n_keys = 1;
    if (bh_auth_new(&auth, &one, why, sizeof why) < 0) {
        bh_tell(d, BH_WRONG, "make or import another: bellhopctl help keys",
                "%s", why);
        return false;
    }
    bh_auth_free(auth);
    if (!is_secret(k) && k->sign_file == NULL) return true;
    struct bh_grant g = {.user = "bellhop-doctor", .ttl_s = 1, .kid = k->kid};
    char *token = bh_auth_sign(&one, &g, why, sizeof why);
    if (token == NULL)
        bh_tell(d, BH_DOUBTFUL, "mend or drop its sign_file",
                "it can't sign: %s", why);
    bh_free(token);
    return token != NULL;
}

static bool
may_workers_read(struct bh_doctor *d, const struct bh_conf_key *k)
{
    for (size_t i = 0; i < d->n_workers; i++) {
        const struct bh_credentials *who = &d->workers[i].who;
        size_t at;
        int rc = bh_may(who, k->file, R_OK, &at);
        if (rc == 0 || rc == -ENOSYS || rc == -ENOENT) continue;
        bh_tell(d, BH_WRONG, "chgrp it to theirs and chmod g+r it",
                "%s: the workers (%s) may not read it any more: %s at %.*s",
                k->file, who->name, strerror(-rc), (int)at, k->file);
        return false;
    }
    return true;
}

static bool
is_its_own(struct bh_doctor *d, size_t i)
{
    const struct bh_conf_key *k = d->conf->keys;
    struct stat a, b;

    if (stat(k[i].file, &a) != 0) return true;
    for (size_t j = 0; j < i; j++) {
        if (stat(k[j].file, &b) != 0) continue;
        if (a.st_dev != b.st_dev || a.st_ino != b.st_ino) continue;
        bh_tell(d, BH_DOUBTFUL,
                "give each kid a key of its own, else retiring "
                "one retires nothing",
                "%s: is the key of two kids", k[i].file);
        return false;
    }
    return true;
}

static bool
is_good(struct bh_doctor *d, size_t i)
{
    struct bh_conf_key *k = &d->conf->keys[i];
    bool good = is_usable(d, k);

    if (!is_private(d, k->file, is_secret(k))) good = false;
    if (k->sign_file != NULL && !is_private(d, k->sign_file, true))
        good = false;
    if (is_secret(k) && is_made_up(k->file)) {
        bh_tell(d, BH_WRONG, "make a random one: keys new KID --alg HS256",
                "%s: long enough, but of a few characters only", k->file);
        good = false;
    }
    return may_workers_read(d, k) && is_its_own(d, i) && good;
}

void
bh_check_keys(struct bh_doctor *d)
{
    size_t good = 0;

    if (d->conf == NULL) {
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
        return;
    }
    bh_members_find(d);
    for (size_t i = 0; i < d->conf->n_keys; i++) good += is_good(d, i);
    if (good == d->conf->n_keys)
        bh_tell(d, BH_FINE, NULL, "%zu: each readable, strong enough, private",
                good);
}

char *
bh_doctor_token(const struct bh_doctor *d, const char *org, int64_t ttl_s,
                char *why, size_t size)
{
    struct bh_grant g = {
        .user = "bellhop-doctor", .org = org, .ttl_s = ttl_s, .kid = d->kid};

    return bh_auth_sign(d->conf, &g, why, size);
}
