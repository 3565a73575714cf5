/* auth_key.c: key files. A key that doesn't fit its algorithm is found at the
 * start, not with the first token. */
#include "auth_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "log.h"
#include "mem.h"

static const char *
file_of(const struct bh_key *k, enum bh_key_use use)
{
    return use == BH_KEY_SIGN && k->conf->algorithm[0] != 'H'
               ? k->conf->sign_file
               : k->conf->file;
}

static int BH_PRINTF(5, 6) wrong(const struct bh_key *k, enum bh_key_use use,
                                 char *err, size_t size, const char *fmt, ...)
{
    char what[256], kid[BH_WORD_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    snprintf(err, size, "key \"%s\": %s: %s",
             bh_log_word(kid, sizeof(kid), k->conf->kid, strlen(k->conf->kid)),
             file_of(k, use), what);
    return -EINVAL;
}

/* At most SIZE bytes; their number, or a negative errno. */
static ssize_t
read_file(int fd, unsigned char *p, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, p + len, size - len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static void
warn_if_readable(const struct bh_key *k, enum bh_key_use use, int fd)
{
    struct stat st;

    if (use == BH_KEY_VERIFY && k->conf->algorithm[0] != 'H') return;
    if (fstat(fd, &st) == 0 && (st.st_mode & S_IRWXO) != 0)
        bh_log(BH_WARN,
               "%s holds a secret and is open to every user: chmod o= it",
               file_of(k, use));
}

static int
load_bytes(struct bh_key *k, enum bh_key_use use, char *err, size_t size)
{
    int fd = open(file_of(k, use), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return wrong(k, use, err, size, "%s", strerror(errno));

    k->p = bh_zalloc(BH_KEY_FILE_MAX + 2);
    ssize_t n =
        k->p != NULL ? read_file(fd, k->p, BH_KEY_FILE_MAX + 1) : -ENOMEM;
    warn_if_readable(k, use, fd);
    close(fd);
    if (n < 0) return wrong(k, use, err, size, "%s", strerror((int)-n));
    k->len = (size_t)n;
    if (n == 0) return wrong(k, use, err, size, "the file is empty");
    if (n > BH_KEY_FILE_MAX)
        return wrong(k, use, err, size, "the file is longer than %d bytes",
                     BH_KEY_FILE_MAX);
    return 0;
}

/* As many bytes as the hash has, at the least (RFC 7518, 3.2). A public key in
 * PEM is no secret: with it as one, anybody could sign. */
static int
check_secret(struct bh_key *k, enum bh_key_use use, char *err, size_t size)
{
    size_t least = (size_t)atoi(k->conf->algorithm + 2) * BH_SECRET_MIN / 256;

    if (k->p[k->len - 1] == '\n') k->p[--k->len] = '\0';
    if (memmem(k->p, k->len, "-----BEGIN ", 11) != NULL)
        return wrong(k, use, err, size,
                     "holds PEM, but %s takes a secret: random bytes",
                     k->conf->algorithm);
    if (k->len < least)
        return wrong(k, use, err, size,
                     "the secret has %zu bytes, fewer than %zu; make one with "
                     "openssl rand -hex 32",
                     k->len, least);
    return 0;
}

/* For OpenSSL, which else asks on the terminal. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *
parse_pem(const struct bh_key *k, enum bh_key_use use)
{
    BIO *bio = BIO_new_mem_buf(k->p, (int)k->len);
    EVP_PKEY *pkey = NULL;

    if (bio != NULL && use == BH_KEY_SIGN)
        pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    else if (bio != NULL)
        pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return pkey;
}

/* The curve that RFC 7518, 3.4, gives the algorithm. */
static const char *
curve_of(const char *algorithm)
{
    if (strcmp(algorithm, "ES256") == 0) return "prime256v1";
    return strcmp(algorithm, "ES384") == 0 ? "secp384r1" : "secp521r1";
}

static int
check_pkey(const struct bh_key *k, enum bh_key_use use, const EVP_PKEY *pkey,
           char *err, size_t size)
{
    const char *algorithm = k->conf->algorithm;
    char curve[64] = "";

    if (algorithm[0] == 'R') {
        if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
            return wrong(k, use, err, size, "%s takes an RSA key", algorithm);
        if (EVP_PKEY_get_bits(pkey) < BH_RSA_BITS_MIN)
            return wrong(k, use, err, size,
                         "the RSA key has %d bits, fewer than %d",
                         EVP_PKEY_get_bits(pkey), BH_RSA_BITS_MIN);
        return 0;
    }
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC)
        EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve,
                                       sizeof(curve), NULL);
    if (strcmp(curve, curve_of(algorithm)) != 0)
        return wrong(k, use, err, size, "%s takes an EC key on the curve %s",
                     algorithm, curve_of(algorithm));
    return 0;
}

static int
check_pem(const struct bh_key *k, enum bh_key_use use, char *err, size_t size)
{
    bool private = strstr((const char *)k->p, "PRIVATE KEY-----") != NULL;

    if (use == BH_KEY_VERIFY && private)
        return wrong(
            k, use, err, size,
            "holds a private key; put the public one here, the "
            "private one into sign_file if it must be on this machine");
    EVP_PKEY *pkey = parse_pem(k, use);
    if (pkey == NULL)
        return wrong(k, use, err, size,
                     "holds no %s key in PEM (-----BEGIN %s KEY-----)",
                     use == BH_KEY_SIGN ? "unencrypted private" : "public",
                     use == BH_KEY_SIGN ? "PRIVATE" : "PUBLIC");
    int rc = check_pkey(k, use, pkey, err, size);
    EVP_PKEY_free(pkey);
    return rc;
}

int
bh_key_load(struct bh_key *k, const struct bh_conf_key *conf,
            enum bh_key_use use, char *err, size_t err_size)
{
    *k = (struct bh_key){.conf = conf};
    int rc = load_bytes(k, use, err, err_size);
    if (rc == 0)
        rc = conf->algorithm[0] == 'H' ? check_secret(k, use, err, err_size)
                                       : check_pem(k, use, err, err_size);
    if (rc < 0) bh_key_wipe(k);
    return rc;
}

void
bh_key_wipe(struct bh_key *k)
{
    if (k->p != NULL) bh_wipe(k->p, BH_KEY_FILE_MAX + 2);
    bh_free(k->p);
    k->p = NULL;
    k->len = 0;
}

bool
bh_key_can_sign(const struct bh_conf_key *conf)
{
    return conf->algorithm[0] == 'H' || conf->sign_file != NULL;
}
