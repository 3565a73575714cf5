#include "err.h"

#include "buf.h"

static const struct {
    const char *word;
    int status;
    const char *title, *next;
} refusals[] = {[BH_GRANTED] = {"", 0, "", ""},
#define ROW(sym, word, status, title, next)                                    \
    [BH_##sym] = {word, status, title, next},
                BH_REFUSALS(ROW)
#undef ROW
};

const char *
bh_refusal_word(enum bh_refusal r)
{
    return refusals[r].word;
}

int
bh_refusal_status(enum bh_refusal r)
{
    return refusals[r].status;
}

const char *
bh_refusal_title(enum bh_refusal r)
{
    return refusals[r].title;
}

const char *
bh_refusal_next(enum bh_refusal r)
{
    return refusals[r].next;
}

/* RFC 9110, section 15; 429 is from RFC 6585. */
const char *
bh_status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };

    for (size_t i = 0; i < bh_countof(phrases); i++)
        if (phrases[i].status == status) return phrases[i].phrase;
    return "";
}

void
bh_refusal_body(struct bh_buf *out, enum bh_refusal r)
{
    bh_refusal_body_saying(out, r, NULL);
}

void
bh_refusal_body_saying(struct bh_buf *out, enum bh_refusal r,
                       const char *detail)
{
    /* The table's words need no escaping; a test sees to it. */
    bh_buf_fmt(out,
               "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
               "\"detail\":\"%s\",\"code\":\"%s\"}",
               bh_refusal_title(r), bh_refusal_status(r),
               detail != NULL ? detail : bh_refusal_next(r),
               bh_refusal_word(r));
}
