/* keys.c: bellhopctl keys: make, take over, list and retire signing keys. */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth.h"
#include "auth_make.h"
#include "log.h"
#include "mem.h"

#define PATH_BYTES 4096
#define TEXT_MAX   (1024 * 1024)

struct order {
    const char *conf, *kid, *algorithm, *folder;
    bool add; /* to the configuration */
    int code;
    struct bh_buf sections;
};

/* ---- files ---- */

static int
complain(const char *what, const char *path)
{
    fprintf(stderr, "bellhopctl: %s %s: %s\n", what, path, strerror(errno));
    return EX_CANTCREAT;
}

static int
complain_unread(const char *path)
{
    complain("can't read", path);
    return EX_NOINPUT;
}

/* With MODE, whatever the umask; never over one that is there. */
static int
write_new(const char *path, mode_t mode, const char *p, size_t len)
{
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) return complain("can't create", path);
    bool ok = write(fd, p, len) == (ssize_t)len && fchmod(fd, mode) == 0 &&
              fsync(fd) == 0;
    int code = ok ? EX_OK : complain("can't write", path);
    close(fd);
    if (!ok) unlink(path);
    return code;
}

static int
read_text(const char *path, struct bh_buf *b)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0) return complain_unread(path);
    while (n > 0 && b->len < TEXT_MAX) {
        char *room = bh_buf_reserve(b, 65536);
        n = room != NULL ? read(fd, room, 65536) : -1;
        if (n > 0) b->len += (size_t)n;
    }
    int code = n < 0 ? complain_unread(path) : EX_OK;
    if (!standard) close(fd);
    return code;
}

/* The configuration's folder and "keys", unless another is named. */
static void
find_folder(const struct order *o, char out[PATH_BYTES])
{
    const char *slash = strrchr(o->conf, '/');

    if (o->folder != NULL)
        snprintf(out, PATH_BYTES, "%s", o->folder);
    else
        snprintf(out, PATH_BYTES, "%.*skeys",
                 slash != NULL ? (int)(slash - o->conf) + 1 : 0, o->conf);
}

/* ---- the configuration ---- */

static void
print_mistake(void *arg BH_UNUSED, const char *message)
{
    fprintf(stderr, "bellhopctl: %s\n", message);
}

/* Whether broker and workers would take it, key files and all. */
static bool
is_good(const char *path)
{
    struct bh_conf *conf = bh_conf_read(path, print_mistake, NULL);
    struct bh_auth *auth = NULL;
    char err[512];
    bool good = conf != NULL && bh_auth_new(&auth, conf, err, sizeof err) == 0;

    if (conf != NULL && !good) fprintf(stderr, "bellhopctl: %s\n", err);
    if (good) bh_auth_free(auth);
    bh_conf_free(conf);
    return good;
}

/* TEXT becomes the configuration, if it is a good one. */
static int
replace_conf(const char *path, const struct bh_buf *text)
{
    char fresh[PATH_BYTES];
    struct stat st;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(fresh);
    int code =
        text->failed ? EX_OSERR : write_new(fresh, 0600, text->p, text->len);
    if (code != EX_OK) return code;
    if (stat(path, &st) == 0) {
        chmod(fresh, st.st_mode & 07777);
        if (chown(fresh, st.st_uid, st.st_gid) != 0 && geteuid() == 0)
            code = complain("can't give away", fresh);
    }
    if (!is_good(fresh)) {
        fprintf(stderr, "bellhopctl: %s stays as it was\n", path);
        code = EX_CONFIG;
    } else if (rename(fresh, path) != 0) {
        code = complain("can't replace", path);
    }
    if (code != EX_OK) unlink(fresh);
    return code;
}

static int
add_sections(const struct order *o)
{
    struct bh_buf text = BH_BUF_INIT;
    int code = read_text(o->conf, &text);

    bh_buf_add(&text, o->sections.p, o->sections.len);
    if (code == EX_OK) code = replace_conf(o->conf, &text);
    bh_buf_fini(&text);
    if (code == EX_OK)
        printf("added to %s; let what runs read it: bellhopctl reload\n",
               o->conf);
    return code;
}

/* ---- one key ---- */

/* A kid that can be a file's name, too. */
static bool
is_plain(const char *kid)
{
    size_t len = strlen(kid);

    return len > 0 && len <= BH_NAME_MAX && kid[0] != '.' &&
           strspn(kid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789._-") == len;
}

static void
describe(struct order *o, const struct bh_made_key *k, const char *kid,
         const char *file, const char *sign_file)
{
    struct bh_buf *b = &o->sections;

    bh_buf_fmt(b, "\nkey \"%s\" {\n    algorithm = \"%s\"\n    file = \"%s\"\n",
               kid, k->algorithm, file);
    if (k->sign_file.len > 0)
        bh_buf_fmt(b, "    sign_file = \"%s\"\n", sign_file);
    bh_buf_str(b, "}\n");
}

/* For its owner alone; but a folder with the setgid bit says whose group the
 * workers are: that may read what they need. */
static mode_t
mode_in(const char *folder)
{
    struct stat st;

    return stat(folder, &st) == 0 && (st.st_mode & S_ISGID) ? 0640 : 0600;
}

/* Lay its files in FOLDER; the configuration is to call that CALLED. */
static int
lay(struct order *o, const struct bh_made_key *k, const char *kid,
    const char *folder, const char *called)
{
    const char *end = k->algorithm[0] == 'H' ? "key" : "pub.pem";
    char file[2 * PATH_BYTES], sign_file[2 * PATH_BYTES];

    snprintf(file, sizeof file, "%s/%s.%s", folder, kid, end);
    snprintf(sign_file, sizeof sign_file, "%s/%s.pem", folder, kid);
    int code = write_new(file, mode_in(folder), k->file.p, k->file.len);
    if (code == EX_OK && k->sign_file.len > 0)
        code = write_new(sign_file, 0600, k->sign_file.p, k->sign_file.len);
    if (code != EX_OK) return code;
    snprintf(file, sizeof file, "%s/%s.%s", called, kid, end);
    snprintf(sign_file, sizeof sign_file, "%s/%s.pem", called, kid);
    describe(o, k, kid, file, sign_file);
    return EX_OK;
}

static void
keep(void *arg, struct bh_made_key *k)
{
    struct order *o = arg;
    const char *kid = o->kid != NULL ? o->kid : k->kid;
    char folder[PATH_BYTES], real[PATH_BYTES] = "keys";

    if (o->code != EX_OK) return;
    if (!is_plain(kid)) {
        fprintf(stderr,
                "bellhopctl: a key's name has letters, digits, '.', '_' and "
                "'-' only; %s\n",
                o->kid == NULL ? "give this one another with --kid"
                               : "choose another");
        o->code = EX_USAGE;
        return;
    }
    find_folder(o, folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        o->code = complain("can't create", folder);
    else if (o->folder != NULL && realpath(folder, real) == NULL)
        o->code = complain("can't find", folder);
    else
        o->code = lay(o, k, kid, folder, real);
    if (o->kid != NULL) o->kid = ""; /* it names one key only */
}

/* ---- the commands ---- */

/* The files are there, and aren't made twice: where the configuration didn't
 * take the sections, somebody has to put them in. */
static int
finish(struct order *o)
{
    if (o->code == EX_OK && o->sections.failed) o->code = EX_OSERR;
    bool made = o->code == EX_OK;
    if (made && o->add) o->code = add_sections(o);
    if (made && (!o->add || o->code != EX_OK))
        printf("# put this into %s:\n%.*s", o->conf, (int)o->sections.len,
               o->sections.p);
    bh_buf_fini(&o->sections);
    return o->code;
}

static int
make(struct order *o, const char *kid)
{
    struct bh_made_key k;

    o->kid = kid;
    if (bh_key_make(&k, o->algorithm != NULL ? o->algorithm : "ES256") < 0) {
        fprintf(stderr, "bellhopctl: --alg takes HS256, HS384, HS512, RS256, "
                        "RS384, RS512, ES256, ES384 or ES512\n");
        return EX_USAGE;
    }
    keep(o, &k);
    bh_made_key_fini(&k);
    return finish(o);
}

static int
import(struct order *o, const char *path)
{
    struct bh_buf text = BH_BUF_INIT;
    char err[256];
    size_t left = 0;

    o->code = read_text(path, &text);
    if (o->code != EX_OK) return o->code;
    if (bh_key_import((struct bh_str){text.p != NULL ? text.p : "", text.len},
                      o->algorithm, keep, o, &left, err, sizeof err) < 0) {
        fprintf(stderr, "bellhopctl: %s: %s\n", path, err);
        o->code = EX_DATAERR;
    }
    if (text.p != NULL) bh_wipe(text.p, text.cap);
    bh_buf_fini(&text);
    if (left > 0)
        fprintf(stderr,
                "bellhopctl: %zu left out: not for signatures, too short, or "
                "of a kind that is not known here\n",
                left);
    return finish(o);
}

static const char *
mode_of(const char *path, char out[16])
{
    struct stat st;

    if (stat(path, &st) != 0) return "missing";
    snprintf(out, 16, "%04o", (unsigned)st.st_mode & 07777);
    return out;
}

static int
list(const char *path)
{
    struct bh_conf *conf = bh_ctl_conf(path);

    for (size_t i = 0; i < conf->n_keys; i++) {
        const struct bh_conf_key *k = &conf->keys[i];
        char kid[BH_WORD_MAX], mode[16];
        bool signs = k->algorithm[0] == 'H' || k->sign_file != NULL;
        printf("%s  %s  %s  %s  %s\n",
               bh_log_word(kid, sizeof kid, k->kid, strlen(k->kid)),
               k->algorithm, signs ? "signs and verifies" : "verifies",
               mode_of(k->file, mode), k->file);
    }
    bh_conf_free(conf);
    return EX_OK;
}

/* The section stays, as a comment, for whoever wants it back. */
static void
comment_out(struct bh_buf *out, const struct bh_buf *text, size_t from,
            size_t to)
{
    bh_buf_add(out, text->p, from);
    if (from > 0 && text->p[from - 1] != '\n') bh_buf_str(out, "\n");
    bh_buf_str(out, "# retired: ");
    for (size_t i = from; i < to; i++) {
        bh_buf_add(out, text->p + i, 1);
        if (text->p[i] == '\n') bh_buf_str(out, "# ");
    }
    bh_buf_str(out, "\n");
    bh_buf_add(out, text->p + to, text->len - to);
}

static int
retire(const char *path, const char *kid)
{
    struct bh_buf text = BH_BUF_INIT, out = BH_BUF_INIT;
    size_t from, to;
    int code = read_text(path, &text);

    if (code == EX_OK && !bh_conf_find_key(path, kid, &from, &to)) {
        fprintf(stderr, "bellhopctl: the configuration has no such key; "
                        "'bellhopctl keys list' lists them\n");
        code = EX_DATAERR;
    }
    if (code == EX_OK) {
        comment_out(&out, &text, from, to);
        code = replace_conf(path, &out);
    }
    bh_buf_fini(&text);
    bh_buf_fini(&out);
    if (code == EX_OK)
        printf("retired: tokens of this key are refused once the workers have "
               "read %s: bellhopctl reload. Its file is still there.\n",
               path);
    return code;
}

static const struct option longs[] = {{"alg", required_argument, NULL, 'a'},
                                      {"kid", required_argument, NULL, 'k'},
                                      {"dir", required_argument, NULL, 'd'},
                                      {"add", no_argument, NULL, 'A'},
                                      {NULL, 0, NULL, 0}};

static int
dispatch(const struct bh_command *c, struct order *o, const char *what,
         const char *name)
{
    if (strcmp(what, "list") == 0 && name == NULL) return list(o->conf);
    if (name == NULL)
        return bh_ctl_usage(c, "it takes list, new KID, import FILE or retire "
                               "KID");
    if (strcmp(what, "new") == 0) return make(o, name);
    if (strcmp(what, "import") == 0) return import(o, name);
    if (strcmp(what, "retire") == 0) return retire(o->conf, name);
    return bh_ctl_usage(c, "it takes list, new, import or retire");
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct order o = {.conf = path, .sections = BH_BUF_INIT};
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'a')
            o.algorithm = optarg;
        else if (option == 'k')
            o.kid = optarg;
        else if (option == 'd')
            o.folder = optarg;
        else if (option == 'A')
            o.add = true;
        else
            return bh_ctl_usage(c, NULL);
    }
    if (optind == argc || argc - optind > 2)
        return bh_ctl_usage(c, "it takes list, new KID, import FILE or retire "
                               "KID");
    /* Before a key is made, and beside a configuration that isn't there. */
    if (o.add && access(path, R_OK) != 0) return complain_unread(path);
    return dispatch(c, &o, argv[optind],
                    argc - optind == 2 ? argv[optind + 1] : NULL);
}

const struct bh_command bh_cmd_keys = {
    "keys", "make, import, list and retire signing keys",
    "Usage: bellhopctl [-c FILE] keys list\n"
    "       bellhopctl [-c FILE] keys new KID [--alg ALG] [--dir DIR] [--add]\n"
    "       bellhopctl [-c FILE] keys import FILE|- [--kid KID] [--alg ALG]\n"
    "                                 [--dir DIR] [--add]\n"
    "       bellhopctl [-c FILE] keys retire KID\n"
    "Look after the keys that tokens are signed with. Key files get mode 0600, "
    "in a\n"
    "folder with the setgid bit 0640 (not the private key of a pair), and the "
    "section\n"
    "for the configuration is printed; each key is good for the one algorithm "
    "that\n"
    "stands there.\n"
    "\n"
    "  --alg=ALG  HS256 ... ES512; new: ES256 unless given; import: for a key "
    "that\n"
    "             names none itself\n"
    "  --kid=KID  the name of an imported key that has none\n"
    "  --dir=DIR  where the files go: keys beside the configuration unless "
    "given\n"
    "  --add      put the section into the configuration, if all is well with "
    "it\n"
    "\n"
    "FILE is PEM, a JWK or a JWKS. If the workers run as another user, give "
    "them the\n"
    "files: chown. To rotate: keys new, reload, issue tokens with the new key; "
    "when\n"
    "the last old token has expired, keys retire, reload.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl keys new 2026-11 --add\n"
    "  curl -s https://login.example.com/jwks.json | bellhopctl keys import - "
    "--add\n"
    "  bellhopctl keys retire 2026-05\n",
    run};
