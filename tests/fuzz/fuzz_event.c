/*
 * fuzz_event.c: any bytes as a publish body. `make check` replays the corpus;
 * libFuzzer is run by hand, from the project's folder:
 *
 *     clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DBH_LIBFUZZER -Isrc \
 *         -fsanitize=fuzzer,address,undefined -o /tmp/fuzz_event \
 *         tests/fuzz/fuzz_event.c src/json*.c src/utf8.c src/event*.c \
 *         src/buf.c src/mem.c src/map.c src/clock.c -lcjson
 *     mkdir -p /tmp/corpus
 *     /tmp/fuzz_event -max_len=4096 -max_total_time=120 /tmp/corpus \
 *         tests/fuzz/corpus/event
 *
 * The first byte of an input tells the form ('n' is NDJSON), the rest is the
 * body. cJSON, laxer in all respects, is the witness: what passes here must
 * pass there.
 */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holds in every build, with NDEBUG too. */
#define MUST(what)                                                             \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "fuzz_event.c:%d: %s\n", __LINE__, #what);         \
            abort();                                                           \
        }                                                                      \
    } while (0)

static bool
same(struct bh_str a, struct bh_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* A pointer as RFC 6901 has it, and words. */
static void
judge_error(const struct bh_json_error *e)
{
    size_t len = strnlen(e->pointer, sizeof(e->pointer));

    MUST(len < sizeof(e->pointer));
    MUST(len == 0 || e->pointer[0] == '/');
    MUST(bh_utf8_valid(e->pointer, len));
    for (const char *p = e->pointer; (p = strchr(p, '~')) != NULL; p++)
        MUST(p[1] == '0' || p[1] == '1');
    MUST(e->detail[0] != '\0');
    MUST(strnlen(e->detail, sizeof(e->detail)) < sizeof(e->detail) - 1);
}

/* As many levels as the recursion below has room for. */
static void
judge_value(struct bh_str value, struct bh_buf *scratch)
{
    struct bh_str name, v;
    size_t pos = 0;
    size_t end = 1;

    MUST(value.len > 0);
    if (value.p[0] == '"') {
        bh_buf_reset(scratch);
        MUST(bh_json_string(scratch, value) == 0);
        MUST(bh_utf8_valid(scratch->p, scratch->len));
    }
    if (value.p[0] != '{' && value.p[0] != '[') return;
    while (bh_json_next(value, &pos, &name, &v)) {
        MUST((name.p != NULL) == (value.p[0] == '{'));
        judge_value(v, scratch);
        end = pos;
    }
    MUST(end == value.len - 1); /* nothing was left out but the bracket */
}

static void
judge_with_cjson(struct bh_str text)
{
    cJSON *tree = cJSON_ParseWithLength(text.p, text.len);

    MUST(tree != NULL);
    cJSON_Delete(tree);
}

static void
judge_check(struct bh_str body)
{
    struct bh_buf once = BH_BUF_INIT, twice = BH_BUF_INIT;
    struct bh_json_error error;

    if (bh_json_check(&once, body, 200, "", &error) == 0) {
        struct bh_str text = {once.p, once.len};

        MUST(text.len <= body.len);
        MUST(bh_json_check(&twice, text, 200, "", &error) == 0);
        MUST(same(text, (struct bh_str){twice.p, twice.len}));
        judge_value(text, &twice);
        judge_with_cjson(text);
    } else {
        MUST(once.len == 0);
        judge_error(&error);
    }
    bh_buf_fini(&once);
    bh_buf_fini(&twice);
}

static void
judge_name(struct bh_str name)
{
    MUST(name.len >= 1 && name.len <= BH_NAME_MAX);
    MUST(bh_utf8_valid(name.p, name.len));
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.p[i];

        MUST(c >= 0x20 && c != 0x7f);
        MUST(c != 0xc2 || (unsigned char)name.p[i + 1] >= 0xa0);
    }
}

/* An event alone says the same as in its batch, and with seq it is JSON. */
static void
judge_event(const struct bh_event *e)
{
    struct bh_event_errors errors;
    struct bh_json_error error;
    struct bh_buf sent = BH_BUF_INIT, copy = BH_BUF_INIT;
    struct bh_batch alone;

    judge_name(e->event_id);
    judge_name(e->event_type);
    judge_name(e->org);
    if (e->property.p != NULL) judge_name(e->property);
    MUST(e->timestamp >= 0 && e->timestamp <= BH_TIMESTAMP_MAX);
    MUST(e->body.len <= BH_EVENT_MAX);
    MUST(bh_batch_parse(&alone, e->body, BH_FORM_JSON, &errors) == 0);
    MUST(alone.n == 1 && same(alone.v[0].body, e->body));
    MUST(same(alone.v[0].event_id, e->event_id));
    MUST(same(alone.v[0].org, e->org));
    MUST(same(alone.v[0].property, e->property));
    MUST(bh_event_same(e->body, alone.v[0].body));
    bh_event_with_seq(&sent, e->body, 1);
    MUST(bh_json_check(&copy, (struct bh_str){sent.p, sent.len}, BH_DEPTH_MAX,
                       "", &error) == 0);
    bh_batch_fini(&alone);
    bh_buf_fini(&sent);
    bh_buf_fini(&copy);
}

static void
judge_batch(struct bh_str body, enum bh_body_form form)
{
    struct bh_event_errors errors;
    struct bh_batch b;
    int rc = bh_batch_parse(&b, body, form, &errors);

    MUST(rc == 0 || rc == -EINVAL);
    MUST((rc == 0) == (errors.n == 0) && errors.n <= BH_ERRORS_MAX);
    for (size_t i = 0; i < errors.n; i++) judge_error(&errors.v[i]);
    if (rc == 0) {
        MUST(b.n >= 1 && b.n <= BH_BATCH_MAX);
        for (size_t i = 0; i < b.n; i++) judge_event(&b.v[i]);
    }
    bh_batch_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct bh_str body = {(const char *)data + 1, size - 1};
    struct bh_str half = {body.p, body.len / 2};

    judge_check(body);
    judge_batch(body, data[0] == 'n' ? BH_FORM_NDJSON : BH_FORM_JSON);
    bh_event_same(half, (struct bh_str){half.p + half.len, half.len});
    return 0;
}

#ifndef BH_LIBFUZZER

#include <dirent.h>

#include "mem.h"

/* Replay one file; its bytes lie in a block of their own size. */
static void
replay(const char *folder, const char *name)
{
    struct bh_buf path = BH_BUF_INIT;
    uint8_t data[65536];

    bh_buf_fmt(&path, "%s/%s", folder, name);
    FILE *f = fopen(bh_buf_cstr(&path), "rb");
    MUST(f != NULL);
    size_t n = fread(data, 1, sizeof(data), f);
    MUST(!ferror(f) && n < sizeof(data));
    fclose(f);
    uint8_t *block = bh_alloc(n + (n == 0));
    MUST(block != NULL);
    memcpy(block, data, n);
    LLVMFuzzerTestOneInput(block, n);
    bh_free(block);
    bh_buf_fini(&path);
}

int
main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : BH_TEST_DIR "/fuzz/corpus/event";
    struct dirent *entry;
    int n = 0;

    DIR *dir = opendir(folder);
    MUST(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        replay(folder, entry->d_name);
        n++;
    }
    closedir(dir);
    MUST(n > 0); /* an empty corpus proves nothing */
    printf("%d inputs\n", n);
    return 0;
}

#endif
