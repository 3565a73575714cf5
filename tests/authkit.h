/*
 * authkit.h: keys made at run time, and tokens put together by hand, as
 * bh_auth_sign would never write them. One folder, one configuration and one
 * handle at a time.
 */
#ifndef BH_TESTS_AUTHKIT_H
#define BH_TESTS_AUTHKIT_H

#include "auth.h"

#define AK_NOW  1795492200 /* where the clock stands, in seconds */
#define AK_EXP  "\"exp\":1795492800"
#define AK_GOOD "{\"sub\":\"u\"," AK_EXP "}"

/* Sections of a configuration; a test adds what it wants to them. */
#define AK_DOMAIN "domain tasks {}\n"
#define AK_HS     "key hs { algorithm = HS256 file = hs.key }\n"
#define AK_RS     "key rs { algorithm = RS256 file = rs.pub sign_file = rs.pem }\n"
#define AK_ES     "key es { algorithm = ES256 file = es.pub sign_file = es.pem }\n"

/*
 * An unchecked fixture: a folder with hs.key (64 bytes), other.key, and for rs
 * (2048 bits) and es (P-256) the private NAME.pem and the public NAME.pub. A
 * checked one: the clock set, and the handle closed.
 */
void ak_make_folder(void);
void ak_remove_folder(void);
void ak_start(void);
void ak_stop(void);

/* In the folder; the next call but three reuses the memory. */
const char *ak_path(const char *name);
void ak_write(const char *name, const void *p, size_t len);
/* Make a key pair by OpenSSL's words for it: NAME.pem and NAME.pub. TYPE is
 * "RSA", with its bits, "RSA-PSS", "EC", with its CURVE, or "ED25519". */
void ak_make_pair(const char *name, const char *type, size_t bits,
                  const char *curve);

/* Read TEXT as the configuration, relative to the folder. */
const struct bh_conf *ak_conf(const char *text);
/* And open a handle on it. */
struct bh_auth *ak_open(const char *text);

/*
 * HEADER and PAYLOAD as a token. It is signed with FILE of the folder: as a
 * private key where it is one, else as the secret of an HMAC; NULL: the
 * signature is empty. The hash is the one that HEADER mentions, SHA-256 unless
 * it has a "384" or a "512". The next call but seven reuses the memory.
 */
const char *ak_token(const char *header, const char *payload, const char *file);
/* Under the HS256 key of AK_HS. */
const char *ak_hs(const char *payload);

/* The Authorization header of TOKEN; the memory is reused by the next call. */
const char *ak_bearer(const char *token);
/* TOKEN is refused so; WHY is fit for a header and holds SAYS. WHAT is for the
 * message when it isn't. */
void ak_refused(const char *what, const char *authorization,
                enum bh_refusal refusal, const char *says);
/* TOKEN is taken; put the claims back. */
const struct bh_claims *ak_granted(const char *token);

/* What is written to the log from the first call to the second; the memory is
 * reused. */
void ak_log_begin(void);
const char *ak_log_end(void);

#endif
