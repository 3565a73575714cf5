/* db_outbox.c: the transactional outbox. An event is written with what it
 * tells of, and removed when Bellhop has it. */
#include "db_parts.h"

#include <errno.h>

#include "clock.h"

/* The name is chosen once, here, and stored: however often the event is sent,
 * Bellhop knows it again. */
int
hotel_db_announce(struct hotel_db *db, const char *event, const char *org,
                  const char *property, const char *payload)
{
    char id[33];

    bh_random_hex(id, 16);
    int rc = hotel_db_run(
        db, hotel_db_prepare(
                db,
                "INSERT INTO outbox (body) VALUES (json_object('eventId', ?1, "
                "'eventType', ?2, 'timestamp', ?3, 'orgId', ?4, "
                "'propertyId', ?5, 'payload', json(?6)))",
                "ssisss", id, event, bh_wall_ms(), org, property, payload));
    return rc < 0 ? rc : 0;
}

int
hotel_db_outbox(struct hotel_db *db, int max, struct bh_buf *body,
                int64_t *seqs)
{
    int n = 0, rc;

    if (!hotel_db_begin(db)) return -EIO;
    sqlite3_stmt *s = hotel_db_prepare(
        db, "SELECT seq, body FROM outbox ORDER BY seq LIMIT ?1", "i",
        (int64_t)max);
    bh_buf_str(body, "{\"events\":[");
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        bh_buf_str(body, n > 0 ? "," : "");
        bh_buf_add(body, sqlite3_column_text(s, 1),
                   (size_t)sqlite3_column_bytes(s, 1));
        seqs[n++] = sqlite3_column_int64(s, 0);
    }
    bh_buf_str(body, "]}");
    sqlite3_finalize(s);
    bool ok = hotel_db_end(db, rc == SQLITE_DONE);
    return ok && !body->failed ? n : -EIO;
}

static int
forget(struct hotel_db *db, int64_t seq)
{
    return hotel_db_run(
        db,
        hotel_db_prepare(db, "DELETE FROM outbox WHERE seq = ?1", "i", seq));
}

int
hotel_db_sent(struct hotel_db *db, const int64_t *seqs, int n)
{
    bool ok = true;

    if (!hotel_db_begin(db)) return -EIO;
    for (int i = 0; ok && i < n; i++) ok = forget(db, seqs[i]) >= 0;
    return hotel_db_end(db, ok) ? 0 : -EIO;
}

int
hotel_db_set_aside(struct hotel_db *db, int64_t seq, int status)
{
    if (!hotel_db_begin(db)) return -EIO;
    bool ok =
        hotel_db_run(db, hotel_db_prepare(
                             db,
                             "INSERT OR REPLACE INTO refused SELECT seq, "
                             "body, ?2, ?3 FROM outbox WHERE seq = ?1",
                             "iii", seq, (int64_t)status, bh_wall_ms())) >= 0 &&
        forget(db, seq) >= 0;
    return hotel_db_end(db, ok) ? 0 : -EIO;
}

int
hotel_db_waiting(struct hotel_db *db)
{
    if (!hotel_db_begin(db)) return -EIO;
    int64_t n = hotel_db_number(
        db, hotel_db_prepare(db, "SELECT count(*) FROM outbox", ""), 0);
    return hotel_db_end(db, n >= 0) ? (int)n : -EIO;
}
