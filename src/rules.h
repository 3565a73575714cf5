/*
 * rules.h: what an operator has said, as it is held in memory: whose tokens are
 * refused, and which domains are switched off. Made once from the log's tables
 * and never changed after, so threads share it by reference.
 */
#ifndef BH_RULES_H
#define BH_RULES_H

#include "base.h"

enum bh_denied_kind { BH_DENIED_JTI = 1, BH_DENIED_SUB = 2 };

struct bh_rules;

/* Empty, with one reference; NULL: no memory. Fill it, then seal it. */
struct bh_rules *bh_rules_new(void);
/* Refuse VALUE, of ORG alone or (empty) of any, until UNTIL_MS of the wall
 * clock (0: for good). 0, -ENOMEM, or -ENOSPC where there are BH_DENIED_MAX and
 * BH_SWITCHES_MAX entries of both sorts together. */
int bh_rules_deny(struct bh_rules *r, enum bh_denied_kind kind,
                  struct bh_str value, struct bh_str org, int64_t until_ms);
/* Let no one enter DOMAIN; errors as above. */
int bh_rules_switch_off(struct bh_rules *r, struct bh_str domain);
/* Nothing is added after it, and nothing is asked before it. */
void bh_rules_seal(struct bh_rules *r);

struct bh_rules *bh_rules_get(struct bh_rules *r);
void bh_rules_put(struct bh_rules *r); /* NULL is fine */

/* NULL is a set of no rules, in all of these. */
bool bh_rules_denied(const struct bh_rules *r, enum bh_denied_kind kind,
                     struct bh_str value, struct bh_str org, int64_t now_ms);
bool bh_rules_off(const struct bh_rules *r, struct bh_str domain);
/* How many entries of KIND there are. */
size_t bh_rules_count(const struct bh_rules *r, enum bh_denied_kind kind);
/* Whether they say the same. */
bool bh_rules_same(const struct bh_rules *a, const struct bh_rules *b);

#endif
