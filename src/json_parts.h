/* json_parts.h: what the sources behind json.h share with each other; nobody
 * else includes it. */
#ifndef BH_JSON_PARTS_H
#define BH_JSON_PARTS_H

#include "json.h"

/* The length of the well-formed sequence that P starts with, 1 to 4; 0 where
 * there is none. */
size_t bh_utf8_char(const char *p, size_t len);
/* CODE as UTF-8, 1 to 4 bytes; their number. */
size_t bh_utf8_put(char out[4], uint32_t code);

static inline bool
bh_json_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The value of four hex digits at P, -1 where they are none. */
int bh_json_hex4(const char *p, size_t len);

/*
 * Decode the character at *POS of RAW, a string's text between its quotes, and
 * move *POS behind it: 1 to 4 bytes to OUT, their number is returned. 0 at the
 * end. RAW is checked text; of other text it makes what it can, in bounds.
 */
size_t bh_json_char(struct bh_str raw, size_t *pos, char out[4]);

/* Whether two raw texts decode to the same string. */
bool bh_json_same_text(struct bh_str a, struct bh_str b);

/*
 * The names of all objects that are open at a point of a scan, the innermost
 * object's last, with an index by hash over them. An object is known by its
 * BASE, the number of names before its own. No valid event has more names than
 * NAMES_MAX (one takes four bytes with its quotes, colon and value), so a
 * hostile text can't make the table larger.
 */
#define BH_JSON_NAMES_MAX   (BH_EVENT_MAX / 4)
#define BH_JSON_NAMES_SMALL 32 /* up to here without an allocation */

struct bh_json_name {
    uint64_t hash;
    struct bh_str raw;
    uint32_t slot; /* where the index points here */
};

struct bh_json_names {
    struct bh_json_name *v;
    uint32_t *slot; /* 1 + index in v, 0: free; 2 * cap, linear probing */
    size_t n, cap;  /* cap: a power of two */
    struct bh_buf scratch;
    struct bh_json_name v_small[BH_JSON_NAMES_SMALL];
    uint32_t slot_small[2 * BH_JSON_NAMES_SMALL];
};

void bh_json_names_init(struct bh_json_names *t);
void bh_json_names_fini(struct bh_json_names *t);
/* 0; -EEXIST where the object has that name; -E2BIG over NAMES_MAX; -ENOMEM.
 * RAW must stay where it is until it is cut. */
int bh_json_names_add(struct bh_json_names *t, size_t base, struct bh_str raw);
/* The object that began at BASE is closed: forget its names. */
void bh_json_names_cut(struct bh_json_names *t, size_t base);

#endif
