/*
 * json.h: a strict reader of JSON text (RFC 8259, and from I-JSON, RFC 7493,
 * the unique names and the whole surrogate pairs): the one place where JSON
 * from outside is judged. cJSON lets pass what must not pass (control bytes and
 * broken UTF-8 in strings, "01", a string cut at \u0000, double names) and
 * reprints numbers; here text is checked, kept as it came, and walked over.
 *
 * A "raw" name is the text between its quotes, escapes and all.
 */
#ifndef BH_JSON_H
#define BH_JSON_H

#include "base.h"
#include "buf.h"

struct bh_json_error {
    char pointer[BH_POINTER_MAX]; /* RFC 6901; "" is the whole text */
    char detail[128];             /* fixed words, nothing of the input */
};

/*
 * Check TEXT and append it to OUT without the white space between tokens.
 * Refuses: anything that is not JSON, invalid UTF-8, lone surrogates, two equal
 * names in one object (escapes decoded first), nesting deeper than DEPTH. The
 * pointer starts with PREFIX and leads to the innermost value that was being
 * read, or to the second member of a name. 0, -EINVAL with *ERR filled, or
 * -ENOMEM; OUT then has nothing more than before. TEXT must not lie in OUT.
 */
int bh_json_check(struct bh_buf *out, struct bh_str text, int depth,
                  const char *prefix, struct bh_json_error *err);

/*
 * Walk the members of an object or the elements of an array that bh_json_check
 * has passed, before or after; TEXT begins with its bracket. *POS is 0 at
 * first. False at the end. NAME is raw (p NULL in an array), VALUE the raw
 * value.
 */
bool bh_json_next(struct bh_str text, size_t *pos, struct bh_str *name,
                  struct bh_str *value);

/* Whether a raw NAME decodes to WORD, which has no backslash. */
bool bh_json_named(struct bh_str name, const char *word);

/* The raw value of OBJECT's member WORD; false where it has none. */
bool bh_json_member(struct bh_str object, const char *word,
                    struct bh_str *value);

/* The decoded text of a checked string value (quotes included), appended to
 * OUT. It may hold NULs. 0 or -ENOMEM. */
int bh_json_string(struct bh_buf *out, struct bh_str value);

/* Append P as a JSON string with its quotes; P is valid UTF-8. */
void bh_json_quote(struct bh_buf *out, const char *p, size_t len);

/* Append a raw NAME to POINTER, escaped by RFC 6901. False, and nothing is
 * appended, where it doesn't fit or has a U+0000. */
bool bh_pointer_add(char pointer[BH_POINTER_MAX], struct bh_str name);

/* Whether P is well-formed UTF-8 (RFC 3629). */
bool bh_utf8_valid(const char *p, size_t len);

#endif
