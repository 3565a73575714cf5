/* authkit.c: keys and tokens for the tests of auth*.c. */
#include "authkit.h"

#include <fcntl.h>
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "clock.h"
#include "mem.h"

#define TOKEN_MAX 32768

static char folder[32];
static struct bh_conf *conf;
static struct bh_auth *handle;

/* ---- the folder ---- */

const char *
ak_path(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *out = paths[next++ % bh_countof(paths)];

    snprintf(out, sizeof(paths[0]), "%s/%s", folder, name);
    return out;
}

void
ak_write(const char *name, const void *p, size_t len)
{
    int fd = open(ak_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
    close(fd);
}

static EVP_PKEY *
generate(const char *type)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1)
        EVP_PKEY_generate(ctx, &pkey);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

void
ak_make_pair(const char *name, const char *type, size_t bits, const char *curve)
{
    char file[64];
    EVP_PKEY *pkey = curve != NULL ? EVP_EC_gen(curve) : NULL;

    if (pkey == NULL && strcmp(type, "RSA") == 0) pkey = EVP_RSA_gen(bits);
    if (pkey == NULL) pkey = generate(type);
    ck_assert_ptr_nonnull(pkey);

    snprintf(file, sizeof(file), "%s.pem", name);
    ak_write(file, "", 0); /* for its mode */
    FILE *f = fopen(ak_path(file), "w");
    ck_assert(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
    snprintf(file, sizeof(file), "%s.pub", name);
    f = fopen(ak_path(file), "w");
    ck_assert(PEM_write_PUBKEY(f, pkey) == 1);
    fclose(f);
    EVP_PKEY_free(pkey);
}

void
ak_make_folder(void)
{
    strcpy(folder, "/tmp/check_auth.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ak_write("hs.key",
             "0123456789abcdef0123456789ABCDEF"
             "fedcba9876543210FEDCBA9876543210",
             64);
    ak_write("other.key", "another secret of 32 bytes, mind", 32);
    ak_make_pair("rs", "RSA", 2048, NULL);
    ak_make_pair("es", "EC", 0, "P-256");
}

void
ak_remove_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.') remove(ak_path(e->d_name));
    closedir(d);
    rmdir(folder);
}

void
ak_start(void)
{
    bh_clock_fake(1000, AK_NOW * 1000LL);
}

void
ak_stop(void)
{
    bh_auth_free(handle);
    bh_conf_free(conf);
    handle = NULL;
    conf = NULL;
    bh_clock_real();
}

/* ---- a handle ---- */

static void
on_mistake(void *arg, const char *message)
{
    (void)arg;
    ck_abort_msg("%s", message);
}

const struct bh_conf *
ak_conf(const char *text)
{
    bh_auth_free(handle);
    handle = NULL;
    bh_conf_free(conf);
    ak_write("b.conf", text, strlen(text));
    conf = bh_conf_read(ak_path("b.conf"), on_mistake, NULL);
    return conf;
}

struct bh_auth *
ak_open(const char *text)
{
    char err[256];

    ak_conf(text);
    ck_assert_msg(bh_auth_new(&handle, conf, err, sizeof(err)) == 0, "%s", err);
    return handle;
}

/* ---- tokens ---- */

static char *
add_base64url(char *to, const void *p, size_t len)
{
    int n = EVP_EncodeBlock((unsigned char *)to, p, (int)len);

    while (n > 0 && to[n - 1] == '=') n--;
    to[n] = '\0';
    for (char *c = to; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return to + n;
}

/* r and s, each as long as the curve's order (RFC 7518, 3.4). */
static size_t
raw_signature(unsigned char *sig, size_t len, const EVP_PKEY *pkey)
{
    const unsigned char *p = sig;
    int half = (EVP_PKEY_get_bits(pkey) + 7) / 8;
    ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &p, (long)len);

    ck_assert_ptr_nonnull(rs);
    ck_assert(BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, half) == half);
    ck_assert(BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + half, half) == half);
    ECDSA_SIG_free(rs);
    return (size_t)half * 2;
}

static size_t
sign(unsigned char *sig, size_t size, const char *file, const EVP_MD *md,
     const char *text)
{
    unsigned char secret[16384];
    FILE *f = fopen(ak_path(file), "r");
    ck_assert_ptr_nonnull(f);
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    rewind(f);
    size_t len = fread(secret, 1, sizeof(secret), f);
    fclose(f);

    if (pkey == NULL) {
        unsigned n = 0;
        HMAC(md, secret, (int)len, (const unsigned char *)text, strlen(text),
             sig, &n);
        return n;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = size;
    ck_assert(EVP_DigestSignInit(ctx, NULL, md, NULL, pkey) == 1);
    ck_assert(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text,
                             strlen(text)) == 1);
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC)
        n = raw_signature(sig, n, pkey);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return n;
}

const char *
ak_token(const char *header, const char *payload, const char *file)
{
    static char tokens[8][TOKEN_MAX];
    static unsigned next;
    char *out = tokens[next++ % bh_countof(tokens)];
    unsigned char sig[1024];
    const EVP_MD *md = strstr(header, "384") != NULL   ? EVP_sha384()
                       : strstr(header, "512") != NULL ? EVP_sha512()
                                                       : EVP_sha256();

    ck_assert_uint_lt((strlen(header) + strlen(payload)) * 4 / 3 + 1500,
                      TOKEN_MAX);
    char *p = add_base64url(out, header, strlen(header));
    *p++ = '.';
    p = add_base64url(p, payload, strlen(payload));
    size_t len = file != NULL ? sign(sig, sizeof(sig), file, md, out) : 0;
    *p++ = '.';
    add_base64url(p, sig, len);
    return out;
}

const char *
ak_hs(const char *payload)
{
    return ak_token("{\"alg\":\"HS256\",\"kid\":\"hs\"}", payload, "hs.key");
}

/* ---- what becomes of them ---- */

const char *
ak_bearer(const char *token)
{
    static char header[TOKEN_MAX + 16];

    snprintf(header, sizeof(header), "Bearer %s", token);
    return header;
}

/* The characters of an error_description (RFC 6750, 3). */
static bool
fit_for_header(const char *why)
{
    for (; *why != '\0'; why++)
        if (*why < 0x20 || *why > 0x7e || *why == '"' || *why == '\\')
            return false;
    return true;
}

void
ak_refused(const char *what, const char *authorization, enum bh_refusal refusal,
           const char *says)
{
    const struct bh_claims *c = (const struct bh_claims *)folder;
    const char *why = NULL;
    enum bh_refusal r = bh_auth_check(handle, authorization, &c, &why);

    ck_assert_msg(r == refusal, "%s: %s (%s)", what,
                  r == BH_GRANTED ? "granted" : bh_refusal_word(r),
                  why != NULL ? why : "");
    ck_assert_ptr_null(c);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(fit_for_header(why), "%s: %s", what, why);
    ck_assert_msg(strstr(why, says) != NULL, "%s: no '%s' in: %s", what, says,
                  why);
}

const struct bh_claims *
ak_granted(const char *token)
{
    const struct bh_claims *c = NULL;
    const char *why = "";
    enum bh_refusal r = bh_auth_check(handle, ak_bearer(token), &c, &why);

    ck_assert_msg(r == BH_GRANTED, "%s: %s", bh_refusal_word(r), why);
    ck_assert_ptr_nonnull(c);
    return c;
}

/* ---- the log ---- */

static int real_stderr, captured;

void
ak_log_begin(void)
{
    real_stderr = dup(STDERR_FILENO);
    captured = memfd_create("stderr", MFD_CLOEXEC);
    ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
}

const char *
ak_log_end(void)
{
    static char text[8192];
    ssize_t n = pread(captured, text, sizeof(text) - 1, 0);

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(captured);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}
