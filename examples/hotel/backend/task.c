/* task.c: judges a task's members, by one table. */
#include "task.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "request.h"

enum kind { LINE, LINES, ID, STATUS, PRIORITY };

static const struct member {
    const char *name;
    unsigned bit;
    enum kind kind;
    size_t at, size;
    const char *wrong;
} members[] = {
#define AT(m)                                                                  \
    offsetof(struct hotel_task, m), sizeof(((struct hotel_task *)0)->m)
    {"taskId", HOTEL_HAS_ID, ID, AT(id),
     "An id is 1 to 64 letters, digits, dots and dashes."},
    {"propertyId", HOTEL_HAS_PROPERTY, ID, AT(property),
     "It must be one of your properties."},
    {"title", HOTEL_HAS_TITLE, LINE, AT(title),
     "A title is one line of 1 to 160 bytes."},
    {"room", HOTEL_HAS_ROOM, LINE, AT(room), "A room is up to 16 bytes."},
    {"notes", HOTEL_HAS_NOTES, LINES, AT(notes), "Notes are up to 1000 bytes."},
    {"status", HOTEL_HAS_STATUS, STATUS, AT(status),
     "It must be open, doing or done."},
    {"priority", HOTEL_HAS_PRIORITY, PRIORITY, AT(priority),
     "It must be low, normal or urgent."},
    {"assignee", HOTEL_HAS_ASSIGNEE, ID, AT(assignee),
     "It must be a colleague's id, or null for nobody."},
#undef AT
};

static bool
is_one_of(const char *text, const char *const words[3])
{
    for (int i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) return true;
    return false;
}

/* U+0000 to U+001F and U+007F; a NUL would cut the text, too. */
static bool
has_control(const struct bh_buf *text, bool lines)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->p[i];
        if ((c < 0x20 && !(lines && c == '\n')) || c == 0x7f) return true;
    }
    return false;
}

static bool
is_good(const struct member *m, const char *text)
{
    static const char *const statuses[] = {"open", "doing", "done"};
    static const char *const priorities[] = {"low", "normal", "urgent"};

    switch (m->kind) {
    case ID:
        return hotel_id_valid(text);
    case STATUS:
        return is_one_of(text, statuses);
    case PRIORITY:
        return is_one_of(text, priorities);
    case LINE:
        return m->bit != HOTEL_HAS_TITLE || text[strspn(text, " ")];
    case LINES:
        return true;
    }
    return false;
}

static bool
take(struct hotel_task *t, const struct member *m, struct bh_str value)
{
    char *out = (char *)t + m->at;
    struct bh_buf text = BH_BUF_INIT;

    t->has |= m->bit;
    if (m->bit == HOTEL_HAS_ASSIGNEE && value.p[0] == 'n') return true;
    if (value.p[0] != '"') return false;
    bool ok = bh_json_string(&text, value) == 0 && text.len < m->size &&
              !has_control(&text, m->kind == LINES);
    if (ok) {
        if (text.len > 0) memcpy(out, text.p, text.len);
        out[text.len] = '\0';
        ok = is_good(m, out);
    }
    bh_buf_fini(&text);
    return ok;
}

/* A whole number from 1 on. */
static bool
take_version(struct hotel_task *t, struct bh_str value)
{
    char digits[16];

    if (value.len == 0 || value.len >= sizeof digits) return false;
    memcpy(digits, value.p, value.len);
    digits[value.len] = '\0';
    if (strspn(digits, "0123456789") != value.len) return false;
    t->version = atoll(digits);
    return t->version > 0;
}

static const char *
read_member(struct hotel_task *t, struct bh_str name, struct bh_str value,
            unsigned allowed)
{
    if (bh_json_named(name, "version"))
        return take_version(t, value) ? NULL
                                      : "A version is a whole number from 1.";
    for (size_t i = 0; i < bh_countof(members); i++) {
        const struct member *m = &members[i];
        if (!(m->bit & allowed) || !bh_json_named(name, m->name)) continue;
        return take(t, m, value) ? NULL : m->wrong;
    }
    return "There is no such member here.";
}

const char *
hotel_task_read(struct hotel_task *t, const struct bh_buf *json, bool new,
                char pointer[BH_POINTER_MAX])
{
    unsigned needed = HOTEL_HAS_TITLE | HOTEL_HAS_PROPERTY | HOTEL_HAS_ID;
    unsigned allowed = ~0u;
    struct bh_str name, value, text = {json->p, json->len};
    size_t pos = 0;

    *t = (struct hotel_task){.has = 0};
    pointer[0] = '\0';
    if (!new) allowed &= ~(unsigned)(HOTEL_HAS_PROPERTY | HOTEL_HAS_ID);
    if (json->len == 0) return "A body is needed.";
    while (bh_json_next(text, &pos, &name, &value)) {
        const char *wrong = read_member(t, name, value, allowed);
        if (wrong == NULL) continue;
        bh_pointer_add(pointer, name);
        return wrong;
    }
    if (new && (t->has & needed) != needed)
        return "taskId, propertyId and title are needed.";
    if (!new && t->has == 0) return "There is nothing to change in it.";
    return NULL;
}
