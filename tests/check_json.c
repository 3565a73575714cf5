/* check_json.c: the strict reader: what passes, what doesn't and where, names
 * that stand twice, pointers, the walk, strings. */
#include "json_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mem.h"
#include "suites.h"

#define TEXT(s) ((struct bh_str){s, sizeof(s) - 1})
#define ROW(s)                                                                 \
    {                                                                          \
        s, sizeof(s) - 1                                                       \
    }

static struct bh_buf out = BH_BUF_INIT;
static struct bh_json_error err;

static void
finish(void)
{
    bh_buf_fini(&out);
}

static struct bh_str
str(const struct bh_buf *b)
{
    return (struct bh_str){b->p, b->len};
}

/* Check TEXT; the compact text stands in `out`, a refusal in `err`. The text
 * lies in a block of its own size, so that reading behind it is seen. */
static int
check_text(struct bh_str text, int depth)
{
    char *copy = malloc(text.len + (text.len == 0));

    if (text.len > 0) memcpy(copy, text.p, text.len);
    bh_buf_reset(&out);
    snprintf(err.pointer, sizeof(err.pointer), "unset");
    int rc =
        bh_json_check(&out, (struct bh_str){copy, text.len}, depth, "", &err);
    free(copy);
    return rc;
}

static void
assert_text(struct bh_str got, struct bh_str want)
{
    ck_assert_uint_eq(got.len, want.len);
    if (want.len > 0) ck_assert_mem_eq(got.p, want.p, want.len);
}

/* ---- what passes ---- */

static const struct {
    struct bh_str in;
    const char *out; /* NULL: as it came */
} good[] = {
    {ROW("{}"), NULL},
    {ROW("[]"), NULL},
    {ROW("0"), NULL},
    {ROW("-0"), NULL},
    {ROW("\"\""), NULL},
    {ROW("null"), NULL},
    {ROW("false"), NULL},
    {ROW(" \t\r\n true \t\r\n "), "true"},
    {ROW("[1.0,12345678901234567890,1e400,-0.0,1E+2,0e-0,0.10]"), NULL},
    {ROW(" [ 1 , 2\n,\t3 ] "), "[1,2,3]"},
    {ROW("{ \"a b\" : [ { } , [ ] ] }"), "{\"a b\":[{},[]]}"},
    {ROW("{\"a\":1,\"A\":2,\"\":3,\" \":4}"), NULL},
    {ROW("{\"a\":{\"a\":{\"a\":1}}}"), NULL},
    {ROW("[{\"a\":1},{\"a\":1}]"), NULL},
    {ROW("{\"a\":{\"b\":1},\"b\":{\"b\":1},\"c\":[{\"a\":1}]}"), NULL},
    {ROW("{\"\\u0000\":1,\"\\u0000\\u0000\":2,\"\\\\u0000\":3}"), NULL},
    {ROW("\"\\u0000 \\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABCD\""), NULL},
    {ROW("\"\\ud83d\\uDE00\\udbff\\udfff\""), NULL},
    {ROW("\"\xf0\x9f\x98\x80 \xc3\xa9 \x7f \xef\xbf\xbf \xf4\x8f\xbf\xbf\""),
     NULL},
    {ROW("\"\xef\xbb\xbf\""), NULL}, /* a mark, but not at the beginning */
    {ROW("\"  [ , ] \\\" { : }  \""), NULL},
};

START_TEST(test_good)
{
    struct bh_str want = good[_i].in;

    if (good[_i].out != NULL)
        want = (struct bh_str){good[_i].out, strlen(good[_i].out)};
    ck_assert_int_eq(check_text(good[_i].in, 8), 0);
    assert_text(str(&out), want);
    /* What it makes it takes, and leaves as it is. */
    ck_assert_int_eq(check_text(want, 8), 0);
    assert_text(str(&out), want);
}
END_TEST

START_TEST(test_appends)
{
    bh_buf_str(&out, "before");
    ck_assert_int_eq(bh_json_check(&out, TEXT(" [ 1 ] "), 8, "", &err), 0);
    ck_assert_int_eq(bh_json_check(&out, TEXT(" [ 1 "), 8, "/p", &err),
                     -EINVAL);
    ck_assert_str_eq(err.pointer, "/p");
    assert_text(str(&out), TEXT("before[1]"));
}
END_TEST

/* ---- what doesn't, and where ---- */

static const struct {
    struct bh_str in;
    const char *pointer;
} bad[] = {
    /* nothing, or not only a value */
    {ROW(""), ""},
    {ROW(" \n"), ""},
    {ROW("\0"), ""},
    {ROW("{}\0"), ""},
    {ROW("{}\0\0"), ""},
    {ROW("{} {}"), ""},
    {ROW("{},"), ""},
    {ROW("1 2"), ""},
    {ROW("nullx"), ""},
    {ROW("\xef\xbb\xbf{}"), ""},
    {ROW("\xff\xfe{\0}\0"), ""},
    {ROW("\xc2\xa0{}"), ""},
    {ROW("\v{}"), ""},
    {ROW("// c\n{}"), ""},
    {ROW("[1/* c */]"), ""},
    /* words */
    {ROW("nul"), ""},
    {ROW("True"), ""},
    {ROW("[NaN]"), "/0"},
    {ROW("[1,Infinity]"), "/1"},
    {ROW("[-Infinity]"), "/0"},
    {ROW("{\"a\":undefined}"), "/a"},
    {ROW("'a'"), ""},
    {ROW("[1,a]"), "/1"},
    /* numbers */
    {ROW("01"), ""},
    {ROW("-01"), ""},
    {ROW("00"), ""},
    {ROW("1."), ""},
    {ROW("[1.]"), "/0"},
    {ROW("[1.e5]"), "/0"},
    {ROW("-.5"), ""},
    {ROW(".5"), ""},
    {ROW("+1"), ""},
    {ROW("-"), ""},
    {ROW("[-]"), "/0"},
    {ROW("[--1]"), "/0"},
    {ROW("[1e]"), "/0"},
    {ROW("[1e+]"), "/0"},
    {ROW("[1e1.5]"), ""},
    {ROW("[0x10]"), ""},
    {ROW("[1_000]"), ""},
    {ROW("{\"a\":{\"b\":[0,012]}}"), "/a/b/1"},
    /* arrays and objects */
    {ROW("["), "/0"},
    {ROW("]"), ""},
    {ROW("[1,]"), "/1"},
    {ROW("[,1]"), "/0"},
    {ROW("[1 2]"), ""},
    {ROW("[1}"), ""},
    {ROW("[[1,2],[3}]"), "/1"},
    {ROW("{"), ""},
    {ROW("{]"), ""},
    {ROW("{,}"), ""},
    {ROW("{\"a\"}"), ""},
    {ROW("{\"a\" 1}"), ""},
    {ROW("{\"a\":}"), "/a"},
    {ROW("{\"a\":1,}"), ""},
    {ROW("{\"a\":1 \"b\":2}"), ""},
    {ROW("{\"a\":1]"), ""},
    {ROW("{a:1}"), ""},
    {ROW("{'a':1}"), ""},
    {ROW("{1:1}"), ""},
    {ROW("{\"a\"::1}"), "/a"},
    {ROW("{\"a\":[{\"b\":{}},{\"b\":{\"c\"}}]}"), "/a/1/b"},
    /* strings */
    {ROW("\""), ""},
    {ROW("[\"a]"), "/0"},
    {ROW("[\"a\nb\"]"), "/0"},
    {ROW("[\"a\tb\"]"), "/0"},
    {ROW("[\"a\0b\"]"), "/0"},
    {ROW("[\"\x1f\"]"), "/0"},
    {ROW("{\"\x01\":1}"), ""},
    {ROW("{\"a\":{\"b\\x\":1}}"), "/a"},
    {ROW("[\"\\x41\"]"), "/0"},
    {ROW("[\"\\'\"]"), "/0"},
    {ROW("[\"\\\0\"]"), "/0"},
    {ROW("[\"\\U0041\"]"), "/0"},
    {ROW("[\"\\u004\"]"), "/0"},
    {ROW("[\"\\u00g0\"]"), "/0"},
    {ROW("[\"\\u+041\"]"), "/0"},
    {ROW("[\"\\u\"]"), "/0"},
    {ROW("[\"\\\"]"), "/0"},
    /* surrogates */
    {ROW("[\"\\ud800\"]"), "/0"},
    {ROW("[\"\\udc00\"]"), "/0"},
    {ROW("[\"\\udfff\\ud800\"]"), "/0"},
    {ROW("[\"\\udc00\\udc00\"]"), "/0"},
    {ROW("[\"\\ud800\\ud800\"]"), "/0"},
    {ROW("[\"\\ud800x\"]"), "/0"},
    {ROW("[\"\\ud800\\n\"]"), "/0"},
    {ROW("[\"\\ud800\\u0041\"]"), "/0"},
    {ROW("[\"\\ud800\\udbff\"]"), "/0"},
    {ROW("[\"\\ud800\\ue000\"]"), "/0"},
    {ROW("[\"\\ud800\\udc0\"]"), "/0"},
    {ROW("{\"\\ud800\":1}"), ""},
    /* UTF-8 */
    {ROW("[\"\x80\"]"), "/0"},
    {ROW("[\"\xc3\"]"), "/0"},
    {ROW("[\"\xc3(\"]"), "/0"},
    {ROW("[\"\xc0\xaf\"]"), "/0"},         /* overlong / */
    {ROW("[\"\xc0\x80\"]"), "/0"},         /* overlong NUL */
    {ROW("[\"\xc1\xbf\"]"), "/0"},         /* overlong DEL */
    {ROW("[\"\xe0\x80\xaf\"]"), "/0"},     /* overlong in three */
    {ROW("[\"\xe0\x9f\xbf\"]"), "/0"},     /* the largest such */
    {ROW("[\"\xf0\x8f\xbf\xbf\"]"), "/0"}, /* overlong in four */
    {ROW("[\"\xed\xa0\x80\"]"), "/0"},     /* a surrogate */
    {ROW("[\"\xed\xbf\xbf\"]"), "/0"},
    {ROW("[\"\xed\xa0\xbd\xed\xb8\x80\"]"), "/0"}, /* CESU-8 */
    {ROW("[\"\xf4\x90\x80\x80\"]"), "/0"},         /* over U+10FFFF */
    {ROW("[\"\xf5\x80\x80\x80\"]"), "/0"},
    {ROW("[\"\xf8\x88\x80\x80\x80\"]"), "/0"},
    {ROW("[\"\xff\"]"), "/0"},
    {ROW("[\"\xe2\x82\"]"), "/0"},
    {ROW("[\"\xf0\x9f\x98\"]"), "/0"},
    {ROW("[\"\xf0\x9f\x98"), "/0"},
    {ROW("{\"\xe9\":1}"), ""},
    /* names twice */
    {ROW("{\"a\":1,\"a\":1}"), "/a"},
    {ROW("{\"a\":1,\"b\":2,\"a\":3}"), "/a"},
    {ROW("{\"\":1,\"\":1}"), "/"},
    {ROW("{\"a\":1,\"\\u0061\":2}"), "/a"},
    {ROW("{\"\\u0061\":1,\"a\":2}"), "/a"},
    {ROW("{\"\\u00E9\":1,\"\xc3\xa9\":2}"), "/\xc3\xa9"},
    {ROW("{\"\\u00e9\":1,\"\\u00E9\":2}"), "/\xc3\xa9"},
    {ROW("{\"/\":1,\"\\/\":2}"), "/~1"},
    {ROW("{\"\\n\":1,\"\\u000a\":2}"), "/\n"},
    {ROW("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"), "/\xf0\x9f\x98\x80"},
    {ROW("{\"\\u0000\":1,\"\\u0000\":2}"), ""},
    {ROW("{\"x\":{\"a\":1,\"b\":{\"a\":1},\"a\":2}}"), "/x/a"},
    {ROW("[[],[{\"k\":[{\"a\":1,\"a\":2}]}]]"), "/1/0/k/0/a"},
    {ROW("{\"a\":{\"b\":1},\"c\":{},\"a\":{}}"), "/a"},
    /* what a pointer escapes */
    {ROW("{\"a/b\":{\"m~n\":{\"~1\":01}}}"), "/a~1b/m~0n/~01"},
};

START_TEST(test_bad)
{
    ck_assert_int_eq(check_text(bad[_i].in, 8), -EINVAL);
    ck_assert_str_eq(err.pointer, bad[_i].pointer);
    ck_assert_uint_gt(strlen(err.detail), 0);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

static void
assert_detail(struct bh_str text, const char *part)
{
    ck_assert_int_eq(check_text(text, 8), -EINVAL);
    ck_assert_msg(strstr(err.detail, part) != NULL, "%s", err.detail);
}

START_TEST(test_details)
{
    assert_detail(TEXT("[1,"), "ends before");
    assert_detail(TEXT("\xef\xbb\xbf{}"), "byte order mark");
    assert_detail(TEXT("[01]"), "leading zero");
    assert_detail(TEXT("[\"\n\"]"), "control characters");
    assert_detail(TEXT("[\"\xff\"]"), "UTF-8");
    assert_detail(TEXT("[\"\\ud800\"]"), "surrogate");
    assert_detail(TEXT("{\"a\":1,\"a\":1}"), "has this name");
    assert_detail(TEXT("{} x"), "follow");
    assert_detail(TEXT("[[[[[[[[[0]]]]]]]]]"), "deep");
}
END_TEST

START_TEST(test_truncated)
{
    const struct bh_str whole =
        TEXT("{\"a\\n\":[1.5e+3,true,null,\"\\ud83d\\ude00\xf0\x9f\x98\x80\"],"
             "\"b\":{\"c\":-0.25,\"d\":[{},[]]} }");

    for (size_t n = 0; n < whole.len; n++)
        ck_assert_msg(check_text((struct bh_str){whole.p, n}, 8) == -EINVAL,
                      "%zu bytes passed", n);
    ck_assert_int_eq(check_text(whole, 8), 0);
}
END_TEST

/* N times OPEN, then a 0 unless the last is an object, then the closing. */
static void
nest(struct bh_buf *b, int n, const char *open, const char *close)
{
    bh_buf_reset(b);
    for (int i = 0; i < n; i++) bh_buf_str(b, open);
    bh_buf_str(b, "0");
    for (int i = 0; i < n; i++) bh_buf_str(b, close);
}

START_TEST(test_depth)
{
    struct bh_buf b = BH_BUF_INIT;

    nest(&b, 64, "[", "]");
    ck_assert_int_eq(check_text(str(&b), 64), 0);
    ck_assert_int_eq(check_text(str(&b), 63), -EINVAL);
    nest(&b, 3, "{\"a\":", "}");
    ck_assert_int_eq(check_text(str(&b), 3), 0);
    ck_assert_int_eq(check_text(str(&b), 2), -EINVAL);
    ck_assert_str_eq(err.pointer, "/a/a");
    nest(&b, 100000, "[", "]");
    ck_assert_int_eq(check_text(str(&b), 64), -EINVAL);
    ck_assert_int_eq(check_text(TEXT("0"), 0), 0);
    ck_assert_int_eq(check_text(TEXT("[]"), 0), -EINVAL);
    bh_buf_fini(&b);
}
END_TEST

/* ---- names that stand twice ---- */

/* An object of members named FIRST … FIRST + N - 1. */
static void
add_object(struct bh_buf *b, int first, int n)
{
    bh_buf_str(b, "{");
    for (int i = 0; i < n; i++)
        bh_buf_fmt(b, "%s\"%x\":0", i > 0 ? "," : "", (unsigned)(first + i));
    bh_buf_str(b, "}");
}

START_TEST(test_many_names)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_str(&b, "[");
    for (int i = 0; i < 40; i++) {
        if (i > 0) bh_buf_str(&b, ",");
        add_object(&b, i, 13000);
    }
    bh_buf_str(&b, "]");
    /* Half a million names: comparing each with each would take minutes. */
    clock_t from = clock();
    ck_assert_int_eq(check_text(str(&b), 8), 0);
    ck_assert_int_lt((clock() - from) / (CLOCKS_PER_SEC / 1000), 3000);

    /* The last of them twice. */
    bh_buf_reset(&b);
    add_object(&b, 1, 13000);
    b.len--;
    bh_buf_fmt(&b, ",\"\\u003%d\":0}", 1);
    ck_assert_int_eq(check_text(str(&b), 8), -EINVAL);
    ck_assert_str_eq(err.pointer, "/1");
    bh_buf_fini(&b);
}
END_TEST

START_TEST(test_too_many_names)
{
    struct bh_buf b = BH_BUF_INIT;

    add_object(&b, 0, BH_JSON_NAMES_MAX);
    ck_assert_int_eq(check_text(str(&b), 8), 0);
    bh_buf_reset(&b);
    bh_buf_str(&b, "{\"a\":");
    add_object(&b, 0, BH_JSON_NAMES_MAX);
    bh_buf_str(&b, "}");
    ck_assert_int_eq(check_text(str(&b), 8), -EINVAL);
    ck_assert_str_eq(err.pointer, "/a");
    bh_buf_fini(&b);
}
END_TEST

/* A random object of up to 60 members, nested. *TWICE: a name came again in
 * its object (as told by a list of them, without the reader's table). */
static void
random_object(struct bh_buf *b, int level, unsigned range, bool *twice)
{
    bool seen[400] = {false};
    int n = rand() % 60;

    bh_buf_str(b, "{");
    for (int i = 0; i < n; i++) {
        unsigned name = (unsigned)rand() % range;

        *twice |= seen[name];
        seen[name] = true;
        bh_buf_fmt(b, rand() % 2 ? "%s\"\\u%04x\":" : "%s\"\\u%04X\":",
                   i > 0 ? "," : "", 0x4e00 + name);
        if (level < 4 && rand() % 16 == 0)
            random_object(b, level + 1, range, twice);
        else
            bh_buf_str(b, "1");
    }
    bh_buf_str(b, "}");
}

START_TEST(test_random_names)
{
    struct bh_buf b = BH_BUF_INIT;
    int refused = 0;

    srand(20);
    for (int round = 0; round < 2000; round++) {
        bool twice = false;

        bh_buf_reset(&b);
        random_object(&b, 0, 20 + (unsigned)rand() % 380, &twice);
        ck_assert_int_eq(check_text(str(&b), 8), twice ? -EINVAL : 0);
        refused += twice;
    }
    ck_assert_int_gt(refused, 200);
    ck_assert_int_lt(refused, 1900);
    bh_buf_fini(&b);
}
END_TEST

/* As above, but never a name twice: cutting and growing lose nothing. */
START_TEST(test_names_after_cut)
{
    struct bh_buf b = BH_BUF_INIT;

    for (int inner = 0; inner < 200; inner += 7) {
        bh_buf_reset(&b);
        add_object(&b, 0, 25);
        b.len--;
        bh_buf_str(&b, ",\"in\":");
        add_object(&b, 0, inner);
        bh_buf_str(&b, ",\"after\":0}");
        ck_assert_int_eq(check_text(str(&b), 8), 0);
        b.len--;
        bh_buf_str(&b, ",\"a\":0}"); /* the eleventh */
        ck_assert_int_eq(check_text(str(&b), 8), -EINVAL);
        ck_assert_str_eq(err.pointer, "/a");
    }
    bh_buf_fini(&b);
}
END_TEST

/* ---- pointers ---- */

START_TEST(test_pointer_add)
{
    char p[BH_POINTER_MAX] = "/events/3";
    char fill[BH_POINTER_MAX];

    ck_assert(bh_pointer_add(p, TEXT("a~b/c\\u0064\\/\\n")));
    ck_assert_str_eq(p, "/events/3/a~0b~1cd~1\n");
    ck_assert(bh_pointer_add(p, TEXT("")));
    ck_assert_str_eq(p, "/events/3/a~0b~1cd~1\n/");
    p[0] = '\0';
    ck_assert(!bh_pointer_add(p, TEXT("a\\u0000b")));
    ck_assert_str_eq(p, "");

    memset(fill, 'x', sizeof(fill));
    ck_assert(!bh_pointer_add(p, (struct bh_str){fill, BH_POINTER_MAX - 1}));
    ck_assert_str_eq(p, "");
    ck_assert(bh_pointer_add(p, (struct bh_str){fill, BH_POINTER_MAX - 2}));
    ck_assert_uint_eq(strlen(p), BH_POINTER_MAX - 1);
    ck_assert(!bh_pointer_add(p, TEXT("")));
    ck_assert_uint_eq(strlen(p), BH_POINTER_MAX - 1);
}
END_TEST

/* A segment that doesn't fit ends the pointer: a later one must not follow as
 * if it were in its place. */
START_TEST(test_pointer_cut)
{
    struct bh_buf b = BH_BUF_INIT;
    char name[300];

    memset(name, 'n', sizeof(name));
    bh_buf_fmt(&b, "{\"a\":{\"%.250s\":{\"%.20s\":{\"b\":01}}}}", name, name);
    ck_assert_int_eq(check_text(str(&b), 8), -EINVAL);
    ck_assert_uint_eq(strlen(err.pointer), 2 + 1 + 250);
    bh_buf_reset(&b);
    bh_buf_str(&b, "{\"a\":{\"\\u0000\":{\"b\":01}}}");
    ck_assert_int_eq(check_text(str(&b), 8), -EINVAL);
    ck_assert_str_eq(err.pointer, "/a");
    bh_buf_fini(&b);
}
END_TEST

/* ---- the walk ---- */

static void
assert_next(struct bh_str text, size_t *pos, const char *name,
            const char *value)
{
    struct bh_str n, v;

    ck_assert(bh_json_next(text, pos, &n, &v));
    ck_assert((n.p == NULL) == (name == NULL));
    if (name != NULL) assert_text(n, (struct bh_str){name, strlen(name)});
    assert_text(v, (struct bh_str){value, strlen(value)});
}

static void
assert_end(struct bh_str text, size_t pos)
{
    struct bh_str n, v;

    ck_assert(!bh_json_next(text, &pos, &n, &v));
    ck_assert(!bh_json_next(text, &pos, &n, &v));
}

START_TEST(test_next)
{
    const struct bh_str object =
        TEXT("{\"a\":1,\"\\\"b\":\"x\\\\\",\"\":{\"]\":[\"}\"]},\"c\":[[],{}],"
             "\"d\":null}");
    const struct bh_str array =
        TEXT("[ 1.50 , \"a ,b\"\n, [ 2 ] , { \"c\" : 3 } , true ]");
    size_t pos = 0;

    assert_next(object, &pos, "a", "1");
    assert_next(object, &pos, "\\\"b", "\"x\\\\\"");
    assert_next(object, &pos, "", "{\"]\":[\"}\"]}");
    assert_next(object, &pos, "c", "[[],{}]");
    assert_next(object, &pos, "d", "null");
    assert_end(object, pos);
    pos = 0;
    assert_next(array, &pos, NULL, "1.50");
    assert_next(array, &pos, NULL, "\"a ,b\"");
    assert_next(array, &pos, NULL, "[ 2 ]");
    assert_next(array, &pos, NULL, "{ \"c\" : 3 }");
    assert_next(array, &pos, NULL, "true");
    assert_end(array, pos);
    assert_end(TEXT("{}"), 0);
    assert_end(TEXT("[ ]"), 0);
    assert_end(TEXT("1"), 0);
    assert_end(TEXT(""), 0);
}
END_TEST

/* Walk over TEXT, whatever it is: an end comes, and nothing is read outside. */
static bool
walk_is_bounded(struct bh_str text)
{
    struct bh_str n, v;
    size_t pos = 0, turns = 0;

    while (bh_json_next(text, &pos, &n, &v)) {
        if (v.p < text.p || v.p + v.len > text.p + text.len) return false;
        if (pos > text.len || ++turns > text.len) return false;
        bh_buf_reset(&out);
        if (bh_json_string(&out, v) != 0) return false;
    }
    return true;
}

START_TEST(test_next_on_junk)
{
    static const char alphabet[] = "{}[]:,\"\\ u0a";

    srand(7);
    for (int round = 0; round < 100000; round++) {
        size_t len = (size_t)rand() % 12;
        char *text =
            malloc(len == 0 ? 1 : len); /* a block each: ASan watches its end */

        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        bool bounded = walk_is_bounded((struct bh_str){text, len});
        free(text);
        if (!bounded) ck_abort_msg("round %d", round);
    }
}
END_TEST

START_TEST(test_member)
{
    const struct bh_str object =
        TEXT("{ \"ab\" : 1, \"\\u0061\" : 2, \"A\" : 3 }");
    struct bh_str v;

    ck_assert(bh_json_member(object, "a", &v));
    assert_text(v, TEXT("2"));
    ck_assert(bh_json_member(object, "A", &v));
    assert_text(v, TEXT("3"));
    ck_assert(!bh_json_member(object, "", &v));
    ck_assert(!bh_json_member(object, "abc", &v));
    ck_assert(!bh_json_member(TEXT("[\"a\",1]"), "a", &v));
    ck_assert(!bh_json_named(TEXT("a\\u0000"), "a"));
}
END_TEST

/* ---- strings ---- */

static const struct {
    struct bh_str value, text;
} strings[] = {
    {ROW("\"\""), ROW("")},
    {ROW("\"plain \xc3\xa9\""), ROW("plain \xc3\xa9")},
    {ROW("\"a\\u0000b\""), ROW("a\0b")},
    {ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), ROW("\"\\/\b\f\n\r\t")},
    {ROW("\"\\u0041\\u00e9\\u20AC\\uffff\""),
     ROW("A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf")},
    {ROW("\"\\ud83d\\ude00\\ud800\\udc00\\udbff\\udfff\""),
     ROW("\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
    {ROW("\"\\\\u0041\""), ROW("\\u0041")},
};

START_TEST(test_string)
{
    ck_assert_int_eq(bh_json_string(&out, strings[_i].value), 0);
    assert_text(str(&out), strings[_i].text);
    /* And there and back again. */
    struct bh_buf quoted = BH_BUF_INIT;
    bh_json_quote(&quoted, strings[_i].text.p, strings[_i].text.len);
    ck_assert_int_eq(check_text(str(&quoted), 1), 0);
    bh_buf_reset(&out);
    ck_assert_int_eq(bh_json_string(&out, str(&quoted)), 0);
    assert_text(str(&out), strings[_i].text);
    bh_buf_fini(&quoted);
}
END_TEST

START_TEST(test_quote)
{
    bh_json_quote(&out, "a\"b\\c\n\x01\x1f\x7f\xc3\xa9/\0", 13);
    assert_text(str(&out), TEXT("\"a\\\"b\\\\c\\n\\u0001\\u001f\x7f\xc3\xa9/"
                                "\\u0000\""));
    bh_buf_reset(&out);
    bh_json_quote(&out, NULL, 0);
    assert_text(str(&out), TEXT("\"\""));
}
END_TEST

START_TEST(test_utf8_code_points)
{
    uint32_t wrong = 0; /* an assertion each would take minutes */
    char c[4];

    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        size_t n = bh_utf8_put(c, code);
        bool surrogate = code >= 0xd800 && code <= 0xdfff;

        wrong += bh_utf8_char(c, n) != (surrogate ? 0 : n);
        wrong += n > 1 && bh_utf8_char(c, n - 1) != 0;
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Of all byte sequences, exactly as many are well-formed as there are code
 * points of that length: no second form slips through. */
START_TEST(test_utf8_counts)
{
    int two = 0, three = 0, four = 0;
    unsigned char c[4];

    for (unsigned i = 0x8000; i < 0x10000; i++) {
        c[0] = (unsigned char)(i >> 8);
        c[1] = (unsigned char)i;
        two += bh_utf8_char((char *)c, 2) == 2;
        for (unsigned j = 0; j < 256 && c[0] >= 0xe0; j++) {
            c[2] = (unsigned char)j;
            three += bh_utf8_char((char *)c, 3) == 3;
            c[3] = 0xbf;
            four += bh_utf8_char((char *)c, 4) == 4;
        }
    }
    ck_assert_int_eq(two, 0x800 - 0x80);
    ck_assert_int_eq(three, 0x10000 - 0x800 - 0x800);
    ck_assert_int_eq(four, 0x100000 / 64);
    ck_assert(bh_utf8_valid("", 0));
    ck_assert(bh_utf8_valid("a\0\xc3\xa9", 4));
    ck_assert(!bh_utf8_valid("a\xc3", 2));
    ck_assert(!bh_utf8_valid("\xff", 1));
}
END_TEST

/* ---- out of memory ---- */

START_TEST(test_no_memory)
{
    struct bh_buf b = BH_BUF_INIT;
    unsigned long n = 1;
    int rc;

    bh_buf_str(&b, "[{\"\\u0061\\u0062\":1},");
    add_object(&b, 0, 200);
    bh_buf_str(&b, "]");
    do {
        struct bh_buf to = BH_BUF_INIT;

        bh_mem_fail_at(n++);
        rc = bh_json_check(&to, str(&b), 8, "", &err);
        ck_assert(rc == 0 || (rc == -ENOMEM && to.len == 0));
        bh_buf_fini(&to);
        ck_assert_uint_lt(n, 100);
    } while (bh_mem_fail_at(0) == false);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_gt(n, 5); /* out, scratch, two tables, and again */
    bh_buf_fini(&b);

    struct bh_buf to = BH_BUF_INIT;
    bh_mem_fail_at(1);
    ck_assert_int_eq(bh_json_string(&to, TEXT("\"\\n\"")), -ENOMEM);
    bh_buf_fini(&to);
}
END_TEST

Suite *
check_json(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");

    tcase_add_checked_fixture(t, NULL, finish);
    tcase_add_loop_test(t, test_good, 0, (int)bh_countof(good));
    tcase_add_test(t, test_appends);
    tcase_add_loop_test(t, test_bad, 0, (int)bh_countof(bad));
    tcase_add_test(t, test_details);
    tcase_add_test(t, test_truncated);
    tcase_add_test(t, test_depth);
    tcase_add_test(t, test_many_names);
    tcase_add_test(t, test_too_many_names);
    tcase_add_test(t, test_random_names);
    tcase_add_test(t, test_names_after_cut);
    tcase_add_test(t, test_pointer_add);
    tcase_add_test(t, test_pointer_cut);
    tcase_add_test(t, test_next);
    tcase_add_test(t, test_next_on_junk);
    tcase_add_test(t, test_member);
    tcase_add_loop_test(t, test_string, 0, (int)bh_countof(strings));
    tcase_add_test(t, test_quote);
    tcase_add_test(t, test_utf8_code_points);
    tcase_add_test(t, test_utf8_counts);
    tcase_add_test(t, test_no_memory);
    suite_add_tcase(s, t);
    return s;
}
