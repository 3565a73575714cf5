/* db_session.c: who works here, and who is signed in. */
#include "db_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "clock.h"
#include "mem.h"

int
hotel_db_staff(struct hotel_db *db, struct bh_buf *out)
{
    static const char sql[] =
        "SELECT json_object('staff', json_group_array(json(j))) FROM ("
        " SELECT json_object('id', s.id, 'name', s.name, 'role', s.role,"
        "  'org', o.name, 'properties', (SELECT json_group_array(p.name)"
        "   FROM property p WHERE p.org_id = s.org_id AND (s.properties IS "
        "   NULL OR p.id IN (SELECT value FROM json_each(s.properties))))) AS j"
        " FROM staff s JOIN org o ON o.id = s.org_id ORDER BY s.position)";

    if (!hotel_db_begin(db)) return -EIO;
    int rc = hotel_db_text(db, hotel_db_prepare(db, sql, ""), out);
    return hotel_db_end(db, rc == 0) ? 0 : -EIO;
}

int
hotel_db_hotel(struct hotel_db *db, const char *org, const char *person,
               struct bh_buf *out)
{
    static const char sql[] =
        "SELECT json_object('org', o.name, 'me', json_object("
        "  'id', me.id, 'name', me.name, 'role', me.role),"
        " 'properties', (SELECT json_group_array(json(j)) FROM (SELECT"
        "  json_object('id', p.id, 'name', p.name, 'city', p.city) AS j"
        "  FROM property p WHERE p.org_id = o.id AND (me.properties IS NULL"
        "   OR p.id IN (SELECT value FROM json_each(me.properties)))"
        "  ORDER BY p.position)),"
        " 'staff', (SELECT json_group_array(json(j)) FROM (SELECT"
        "  json_object('id', s.id, 'name', s.name, 'role', s.role,"
        "   'properties', json(s.properties)) AS j"
        "  FROM staff s WHERE s.org_id = o.id ORDER BY s.position)))"
        " FROM org o JOIN staff me ON me.org_id = o.id"
        " WHERE o.id = ?1 AND me.id = ?2";

    if (!hotel_db_begin(db)) return -EIO;
    int rc =
        hotel_db_text(db, hotel_db_prepare(db, sql, "ss", org, person), out);
    hotel_db_end(db, rc == 0);
    return rc;
}

/* ---- sessions ---- */

static bool
digest_of(char out[65], const char *secret)
{
    unsigned char d[32];

    if (EVP_Digest(secret, strlen(secret), d, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < sizeof d; i++)
        snprintf(out + 2 * i, 3, "%02x", d[i]);
    return true;
}

static int
read_properties(struct hotel_db *db, struct hotel_person *p)
{
    sqlite3_stmt *s = hotel_db_prepare(
        db,
        "SELECT value FROM staff, json_each(staff.properties) WHERE staff.id = "
        "?1 AND staff.properties IS NOT NULL",
        "s", p->id);
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW &&
           p->n_properties < (int)bh_countof(p->properties)) {
        const char *id = (const char *)sqlite3_column_text(s, 0);
        snprintf(p->properties[p->n_properties++], HOTEL_ID_MAX + 1, "%s",
                 id != NULL ? id : "");
    }
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? 0 : -EIO;
}

static int
read_person(struct hotel_db *db, const char *id, struct hotel_person *p)
{
    sqlite3_stmt *s = hotel_db_prepare(
        db, "SELECT id, org_id, properties IS NULL FROM staff WHERE id = ?1",
        "s", id);
    int rc = sqlite3_step(s);

    *p = (struct hotel_person){.n_properties = 0};
    if (rc == SQLITE_ROW) {
        snprintf(p->id, sizeof p->id, "%s", sqlite3_column_text(s, 0));
        snprintf(p->org, sizeof p->org, "%s", sqlite3_column_text(s, 1));
        p->all_properties = sqlite3_column_int(s, 2) != 0;
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? -ENOENT : -EIO;
    return read_properties(db, p);
}

/* A new secret of the session; the oldest of its others are forgotten. */
static int
add_secret(struct hotel_db *db, struct hotel_session *s)
{
    char digest[65];

    bh_random_hex(s->secret, HOTEL_SECRET_LEN);
    if (!digest_of(digest, s->secret)) return -EIO;
    int rc = hotel_db_run(
        db,
        hotel_db_prepare(db, "INSERT INTO refresh VALUES (?1, ?2, ?3, NULL)",
                         "ssi", digest, s->id, bh_wall_ms()));
    if (rc < 0) return rc;
    rc = hotel_db_run(
        db,
        hotel_db_prepare(db,
                         "DELETE FROM refresh WHERE digest IN (SELECT digest "
                         "FROM refresh WHERE session_id = ?1 ORDER BY made_ms "
                         "DESC, rowid DESC LIMIT -1 OFFSET ?2)",
                         "si", s->id, (int64_t)HOTEL_REFRESH_MAX));
    return rc < 0 ? rc : 0;
}

/* Those that are over, and beyond the limit the oldest. */
static int
drop_old_sessions(struct hotel_db *db)
{
    return hotel_db_run(
        db, hotel_db_prepare(
                db,
                "DELETE FROM session WHERE expires_ms < ?1 OR rowid IN (SELECT "
                "rowid FROM session ORDER BY rowid DESC LIMIT -1 OFFSET ?2)",
                "ii", bh_wall_ms(), (int64_t)HOTEL_SESSIONS_MAX));
}

int
hotel_db_login(struct hotel_db *db, const char *person,
               struct hotel_session *out)
{
    if (!hotel_db_begin(db)) return -EIO;
    int rc = read_person(db, person, &out->person);
    bh_random_hex(out->id, 16);
    if (rc == 0)
        rc = hotel_db_run(
            db, hotel_db_prepare(db, "INSERT INTO session VALUES (?1, ?2, ?3)",
                                 "ssi", out->id, out->person.id,
                                 bh_wall_ms() + HOTEL_SESSION_MS));
    if (rc >= 0) rc = add_secret(db, out);
    if (rc == 0 && drop_old_sessions(db) < 0) rc = -EIO;
    if (!hotel_db_end(db, rc == 0) && rc == 0) rc = -EIO;
    return rc;
}

/* The session of the refresh token with DIGEST: its id and person; *LATE where
 * the token's time is over. */
static int
find_session(struct hotel_db *db, const char *digest, struct hotel_session *out,
             bool *late)
{
    char person[HOTEL_ID_MAX + 1] = "";
    int64_t now = bh_wall_ms();
    sqlite3_stmt *s = hotel_db_prepare(
        db,
        "SELECT s.id, s.staff_id, coalesce(r.valid_until_ms < ?2, 0) FROM "
        "refresh r JOIN session s ON s.id = r.session_id "
        "WHERE r.digest = ?1 AND s.expires_ms > ?2",
        "si", digest, now);
    int rc = sqlite3_step(s);

    if (rc == SQLITE_ROW) {
        snprintf(out->id, sizeof out->id, "%s", sqlite3_column_text(s, 0));
        snprintf(person, sizeof person, "%s", sqlite3_column_text(s, 1));
        *late = sqlite3_column_int(s, 2) != 0;
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? -ENOENT : -EIO;
    return read_person(db, person, &out->person);
}

static int
end_session(struct hotel_db *db, const char *id)
{
    return hotel_db_run(
        db, hotel_db_prepare(db, "DELETE FROM session WHERE id = ?1", "s", id));
}

int
hotel_db_refresh(struct hotel_db *db, const char *secret,
                 struct hotel_session *out)
{
    char digest[65];
    bool late = false;

    if (!digest_of(digest, secret) || !hotel_db_begin(db)) return -EIO;
    int rc = find_session(db, digest, out, &late);
    if (rc == 0 && late) {
        rc = end_session(db, out->id) < 0 ? -EIO : -ENOENT;
        hotel_db_end(db, true);
        return rc;
    }
    if (rc == 0)
        rc = hotel_db_run(
            db, hotel_db_prepare(db,
                                 "UPDATE refresh SET valid_until_ms = coalesce("
                                 "valid_until_ms, ?2) WHERE digest = ?1",
                                 "si", digest, bh_wall_ms() + HOTEL_REUSE_MS));
    if (rc >= 0) rc = add_secret(db, out);
    if (!hotel_db_end(db, rc == 0) && rc == 0) rc = -EIO;
    return rc;
}

int
hotel_db_logout(struct hotel_db *db, const char *secret)
{
    char digest[65];

    if (!digest_of(digest, secret) || !hotel_db_begin(db)) return -EIO;
    int rc = hotel_db_run(
        db, hotel_db_prepare(db,
                             "DELETE FROM session WHERE id = (SELECT "
                             "session_id FROM refresh WHERE digest = ?1)",
                             "s", digest));
    return hotel_db_end(db, rc >= 0) ? 0 : -EIO;
}
