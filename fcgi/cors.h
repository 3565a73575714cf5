/* cors.h: which pages of which origins may read an answer (Fetch Standard,
 * "CORS protocol"). An origin that isn't listed gets no CORS header at all. */
#ifndef BH_CORS_H
#define BH_CORS_H

#include "base.h"
#include "buf.h"
#include "conf.h"

/* The header lines of an answer to ORIGIN ("" for none): Vary always. */
void bh_cors_answer(struct bh_buf *out, const struct bh_conf *conf,
                    const char *origin);

/* The same for a preflight; METHODS as they stand in Allow. */
void bh_cors_preflight(struct bh_buf *out, const struct bh_conf *conf,
                       const char *origin, const char *methods);

#endif
