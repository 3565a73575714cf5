/* auth_make.h: keys as bellhopctl makes them or takes them over: the texts of
 * the files that the configuration names. */
#ifndef BH_AUTH_MAKE_H
#define BH_AUTH_MAKE_H

#include "base.h"
#include "buf.h"

struct bh_made_key {
    char kid[BH_NAME_MAX + 1]; /* "": it has none */
    char algorithm[8];         /* "HS256" … "ES512"; "": nothing says it */
    struct bh_buf file;        /* the secret, or the public key in PEM */
    struct bh_buf sign_file;   /* the private key in PEM; empty: none */
};
void bh_made_key_fini(struct bh_made_key *k); /* wipes it, too */

/* A new key for ALGORITHM. 0; -EINVAL for an unknown one, -ENOMEM. */
int bh_key_make(struct bh_made_key *out, const char *algorithm);

/*
 * Take keys over from TEXT: PEM (a public or a private key), a JWK or a JWKS
 * (RFC 7517). Each that is for signatures is handed to FN; those that are not
 * are counted in *LEFT. ALGORITHM (NULL: none) is for a key that names none
 * itself; it must suit the key. 0, or -EINVAL and a sentence in ERR.
 */
typedef void bh_made_key_fn(void *arg, struct bh_made_key *k);
int bh_key_import(struct bh_str text, const char *algorithm, bh_made_key_fn *fn,
                  void *arg, size_t *left, char *err, size_t err_size);

#endif
