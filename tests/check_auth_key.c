/* check_auth_key.c: a key file that is no good ends the start, with a sentence
 * that names the key, the file and what is wrong. */
#include "authkit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "suites.h"

static char err[512];

/* A handle with the one key; NULL and err. */
static struct bh_auth *
try(const char *algorithm, const char *file)
{
    char text[256];
    struct bh_auth *a = NULL;

    snprintf(text, sizeof(text),
             AK_DOMAIN "key k1 { algorithm = %s file = \"%s\" }\n", algorithm,
             file);
    err[0] = '\0';
    int rc = bh_auth_new(&a, ak_conf(text), err, sizeof(err));
    ck_assert_int_eq(rc, a != NULL ? 0 : -EINVAL);
    return a;
}

static void
good(const char *algorithm, const char *file)
{
    struct bh_auth *a = try(algorithm, file);

    ck_assert_msg(a != NULL, "%s: %s", algorithm, err);
    bh_auth_free(a);
}

static void
bad(const char *algorithm, const char *file, const char *says)
{
    char start[256];
    size_t before = bh_mem_used();
    struct bh_auth *a = try(algorithm, file);

    ck_assert_msg(a == NULL, "%s %s is taken", algorithm, file);
    snprintf(start, sizeof(start), "key \"k1\": %s: ", ak_path(file));
    ck_assert_msg(strncmp(err, start, strlen(start)) == 0, "%s", err);
    ck_assert_msg(strstr(err, says) != NULL, "no '%s' in: %s", says, err);
    ak_conf(AK_DOMAIN AK_HS); /* much the same as before try() */
    (void)before;
}

/* What FILE holds, terminated. */
static size_t
contents(const char *file, char *out, size_t size)
{
    FILE *f = fopen(ak_path(file), "r");

    ck_assert_ptr_nonnull(f);
    size_t len = fread(out, 1, size - 1, f);
    fclose(f);
    out[len] = '\0';
    return len;
}

START_TEST(files)
{
    static const char *const algorithms[] = {"HS256", "RS256", "ES256"};
    char text[BH_KEY_FILE_MAX + 2];

    mkdir(ak_path("folder"), 0700);
    ak_write("empty", "", 0);
    memset(text, '\n', sizeof(text));
    ak_write("long", text, BH_KEY_FILE_MAX + 1);
    for (size_t i = 0; i < bh_countof(algorithms); i++) {
        bad(algorithms[i], "nowhere", "No such file");
        bad(algorithms[i], "folder", "Is a directory");
        bad(algorithms[i], "empty", "is empty");
        bad(algorithms[i], "long", "longer than 16384 bytes");
    }
}
END_TEST

START_TEST(secrets)
{
    static const struct {
        const char *algorithm;
        size_t least;
    } rows[] = {{"HS256", 32}, {"HS384", 48}, {"HS512", 64}};
    char text[BH_KEY_FILE_MAX + 1];

    memset(text, 's', sizeof(text));
    for (size_t i = 0; i < bh_countof(rows); i++) {
        size_t least = rows[i].least;
        ak_write("least", text, least);
        good(rows[i].algorithm, "least");
        ak_write("short", text, least - 1);
        bad(rows[i].algorithm, "short", "fewer than");
        /* A newline at the end is no part of it. */
        text[least - 1] = '\n';
        ak_write("short", text, least);
        bad(rows[i].algorithm, "short", "fewer than");
        ck_assert_ptr_null(strstr(err, "sss"));
        text[least - 1] = 's';
    }
    ak_write("newline", "\n", 1);
    bad("HS256", "newline", "has 0 bytes, fewer than 32");
    ak_write("most", text, BH_KEY_FILE_MAX);
    good("HS256", "most");
}
END_TEST

/* With and without its newline, and with NULs and newlines inside. */
START_TEST(secret_bytes)
{
    static const char secret[] = "\n\0raw bytes\xff, thirty-two of them";
    char text[64];

    memcpy(text, secret, 32);
    text[32] = '\n';
    ak_write("raw", text, 33);
    ak_write("signs", text, 32);
    struct bh_auth *a =
        ak_open(AK_DOMAIN "key k { algorithm = HS256 file = raw }\n");
    ck_assert_ptr_nonnull(a);
    bh_claims_put(
        ak_granted(ak_token("{\"alg\":\"HS256\"}", AK_GOOD, "signs")));
    ak_refused("with the newline",
               ak_bearer(ak_token("{\"alg\":\"HS256\"}", AK_GOOD, "raw")),
               BH_TOKEN_INVALID, "signature");
}
END_TEST

/* A public key in PEM as the secret of an HMAC: everybody could sign. */
START_TEST(pem_as_secret)
{
    char text[4096] = "# the key\n";

    bad("HS256", "rs.pub", "holds PEM");
    bad("HS512", "es.pub", "holds PEM");
    bad("HS256", "rs.pem", "holds PEM");
    contents("rs.pub", text + 10, sizeof(text) - 10);
    ak_write("explained", text, strlen(text));
    bad("HS256", "explained", "holds PEM");
}
END_TEST

START_TEST(wrong_pem)
{
    static const char asks[] =
        "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n"
        "\nAAAA\n-----END PUBLIC KEY-----\n";
    char text[4096];

    ak_write("garbage", "0123456789abcdef0123456789abcdef", 32);
    bad("RS256", "garbage", "holds no public key in PEM");
    bad("ES256", "garbage", "holds no public key in PEM");
    bad("RS256", "hs.key", "holds no public key");
    contents("rs.pub", text, sizeof(text));
    ak_write("cut", text, 200);
    bad("RS256", "cut", "holds no public key");
    bad("RS256", "rs.pem", "holds a private key");
    bad("ES256", "es.pem", "holds a private key");
    ak_write("both", text, contents("rs.pub", text, sizeof(text)));
    size_t n = contents("rs.pub", text, sizeof(text));
    n += contents("rs.pem", text + n, sizeof(text) - n);
    ak_write("both", text, n);
    bad("RS256", "both", "holds a private key");
    ak_write("asks", asks, sizeof asks - 1);
    bad("RS256", "asks", "holds no public key");
}
END_TEST

START_TEST(wrong_kind)
{
    static const char *const rs[] = {"RS256", "RS384", "RS512"};
    static const char *const es[] = {"ES256", "ES384", "ES512"};
    static const char *const curve[] = {"P-256", "P-384", "P-521"};
    char name[16], file[16], says[64];

    ak_make_pair("weak", "RSA", 2047, NULL);
    ak_make_pair("pss", "RSA-PSS", 0, NULL);
    ak_make_pair("ed", "ED25519", 0, NULL);
    ak_make_pair("k1", "EC", 0, "secp256k1");
    for (int i = 0; i < 3; i++) {
        bad(rs[i], "es.pub", "takes an RSA key");
        bad(rs[i], "pss.pub", "takes an RSA key");
        bad(rs[i], "ed.pub", "takes an RSA key");
        bad(rs[i], "weak.pub", "2047 bits, fewer than 2048");
        good(rs[i], "rs.pub");
        bad(es[i], "rs.pub", "takes an EC key on the curve");
        bad(es[i], "ed.pub", "takes an EC key on the curve");
        bad(es[i], "k1.pub", "takes an EC key on the curve");
        snprintf(name, sizeof(name), "ec%d", i);
        ak_make_pair(name, "EC", 0, curve[i]);
    }
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            snprintf(file, sizeof(file), "ec%d.pub", k);
            snprintf(says, sizeof(says), "%s takes an EC key", es[i]);
            if (i == k)
                good(es[i], file);
            else
                bad(es[i], file, says);
        }
}
END_TEST

/* One bad key among good ones is named, and nothing of the others is kept. */
START_TEST(one_of_three)
{
    struct bh_auth *a;

    ak_write("short", "too short", 9);
    const struct bh_conf *conf =
        ak_conf(AK_DOMAIN AK_HS AK_RS
                "key second { algorithm = HS256 file = short }\n" AK_ES);
    size_t before = bh_mem_used();
    ck_assert_int_eq(bh_auth_new(&a, conf, err, sizeof(err)), -EINVAL);
    ck_assert_ptr_null(a);
    ck_assert_msg(strncmp(err, "key \"second\": ", 14) == 0, "%s", err);
    ck_assert_ptr_nonnull(strstr(err, ak_path("short")));
    ck_assert_ptr_null(strstr(err, "too short"));
    ck_assert_uint_eq(bh_mem_used(), before);
}
END_TEST

START_TEST(open_to_everybody)
{
    bh_log_level(BH_WARN);
    ck_assert_int_eq(chmod(ak_path("hs.key"), 0604), 0);
    ck_assert_int_eq(chmod(ak_path("rs.pub"), 0644), 0);
    ak_log_begin();
    good("RS256", "rs.pub");
    ck_assert_str_eq(ak_log_end(), "");
    ak_log_begin();
    good("HS256", "hs.key");
    const char *said = ak_log_end();
    ck_assert_ptr_nonnull(strstr(said, ak_path("hs.key")));
    ck_assert_ptr_nonnull(strstr(said, "chmod o="));
    ck_assert_ptr_null(strstr(said, "0123456789abcdef"));
    ck_assert_int_eq(chmod(ak_path("hs.key"), 0640), 0);
    ak_log_begin();
    good("HS256", "hs.key");
    ck_assert_str_eq(ak_log_end(), "");
}
END_TEST

START_TEST(no_memory)
{
    struct bh_auth *a;
    const struct bh_conf *conf = ak_conf(AK_DOMAIN AK_HS AK_RS);
    size_t before = bh_mem_used();

    for (unsigned long n = 1;; n++) {
        bh_mem_fail_at(n);
        err[0] = '\0';
        int rc = bh_auth_new(&a, conf, err, sizeof(err));
        if (bh_mem_fail_at(0)) {
            ck_assert_int_eq(rc, 0);
            ck_assert_uint_gt(n, 4);
            bh_auth_free(a);
            break;
        }
        ck_assert_int_eq(rc, -EINVAL);
        ck_assert_ptr_null(a);
        ck_assert_msg(strcasestr(err, "memory") != NULL, "%s", err);
        ck_assert_uint_eq(bh_mem_used(), before);
    }
    ck_assert_uint_eq(bh_mem_used(), before);
}
END_TEST

Suite *
check_auth_key(void)
{
    Suite *suite = suite_create("auth_key");
    TCase *tc = tcase_create("auth_key");

    tcase_add_unchecked_fixture(tc, ak_make_folder, ak_remove_folder);
    tcase_add_checked_fixture(tc, ak_start, ak_stop);
    tcase_add_test(tc, files);
    tcase_add_test(tc, secrets);
    tcase_add_test(tc, secret_bytes);
    tcase_add_test(tc, pem_as_secret);
    tcase_add_test(tc, wrong_pem);
    tcase_add_test(tc, wrong_kind);
    tcase_add_test(tc, one_of_three);
    tcase_add_test(tc, open_to_everybody);
    tcase_add_test(tc, no_memory);
    suite_add_tcase(suite, tc);
    return suite;
}
