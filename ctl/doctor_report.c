/* doctor_report.c: what was found: a line each, or JSON. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "words.h"

static const struct {
    const char *word, *colour;
} verdicts[BH_VERDICTS] = {
    {"ok", "32"}, {"warn", "33"}, {"bad", "1;31"}, {"skipped", "2"}};

static void
print_line(const struct bh_doctor *d, enum bh_verdict v, const char *text,
           const char *remedy)
{
    bool colours = bh_colours();

    printf("%s%s%s%-7s%s %-14s %s", colours ? "\033[" : "",
           colours ? verdicts[v].colour : "", colours ? "m" : "",
           verdicts[v].word, colours ? "\033[0m" : "", d->check, text);
    if (remedy != NULL) printf("; %s", remedy);
    putchar('\n');
    fflush(stdout); /* some checks take their time */
}

static void
add_member(struct bh_buf *b, const char *name, const char *value)
{
    bh_buf_fmt(b, ",\"%s\":", name);
    if (value != NULL)
        bh_json_quote(b, value, strlen(value));
    else
        bh_buf_str(b, "null");
}

static void
add_json(struct bh_doctor *d, enum bh_verdict v, const char *text,
         const char *remedy)
{
    bh_buf_fmt(&d->out, "%s{\"verdict\":\"%s\"", d->out.len > 0 ? "," : "",
               verdicts[v].word);
    add_member(&d->out, "check", d->check);
    add_member(&d->out, "found", text);
    add_member(&d->out, "remedy", remedy);
    bh_buf_str(&d->out, "}");
}

/* Words from outside may be among it. */
static void
clean(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

void
bh_tell(struct bh_doctor *d, enum bh_verdict v, const char *remedy,
        const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    clean(text);
    d->n[v]++;
    if (d->json)
        add_json(d, v, text, remedy);
    else
        print_line(d, v, text, remedy);
}

void
bh_tell_end(struct bh_doctor *d)
{
    if (!d->json) {
        printf("%d ok, %d to look at, %d bad, %d skipped\n", d->n[BH_FINE],
               d->n[BH_DOUBTFUL], d->n[BH_WRONG], d->n[BH_SKIPPED]);
        return;
    }
    printf("{\"ok\":%d,\"warn\":%d,\"bad\":%d,\"skipped\":%d,\"checks\":[%s]}"
           "\n",
           d->n[BH_FINE], d->n[BH_DOUBTFUL], d->n[BH_WRONG], d->n[BH_SKIPPED],
           bh_buf_cstr(&d->out));
}
