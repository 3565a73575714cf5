/* db_task.c: the board. Each change is one transaction: the row and the event
 * that tells of it. */
#include "db_parts.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "json.h"

/* What a reader may see, as a JSON array; empty: all properties. */
static const char *
visible(struct bh_buf *out, const struct hotel_reader *who)
{
    const struct bh_claims *c = who->claims;

    if (c->all_properties) return NULL;
    bh_buf_str(out, "[");
    for (size_t i = 0; i < c->n_properties; i++) {
        bh_buf_str(out, i > 0 ? "," : "");
        bh_json_quote(out, c->properties[i], strlen(c->properties[i]));
    }
    bh_buf_str(out, "]");
    return bh_buf_cstr(out);
}

static const char *
or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* ---- reading ---- */

static int
add_rows(struct hotel_db *db, sqlite3_stmt *s, struct bh_buf *out)
{
    int n = 0, rc;

    bh_buf_str(out, "\"tasks\":[");
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && n < HOTEL_LIST_MAX) {
        bh_buf_str(out, n++ > 0 ? "," : "");
        bh_buf_add(out, sqlite3_column_text(s, 0),
                   (size_t)sqlite3_column_bytes(s, 0));
    }
    bh_buf_fmt(out, "],\"more\":%s", rc == SQLITE_ROW ? "true" : "false");
    sqlite3_finalize(s);
    (void)db;
    return (rc == SQLITE_ROW || rc == SQLITE_DONE) && !out->failed ? 0 : -EIO;
}

int
hotel_db_list(struct hotel_db *db, const struct hotel_reader *who,
              const struct hotel_filter *f, struct bh_buf *out)
{
    static const char sql[] =
        "SELECT j.json FROM task t JOIN task_json j ON j.id = t.id"
        " WHERE t.org_id = ?1"
        " AND (?2 IS NULL OR t.property_id IN (SELECT value FROM "
        "json_each(?2)))"
        " AND (?3 IS NULL OR t.property_id = ?3)"
        " AND (?4 IS NULL OR t.status = ?4)"
        " AND (?5 IS NULL OR t.assignee = ?5)"
        " ORDER BY t.updated_ms DESC, t.id LIMIT ?6";
    struct bh_buf seen = BH_BUF_INIT;

    if (!hotel_db_begin(db)) return -EIO;
    int rc = add_rows(
        db,
        hotel_db_prepare(db, sql, "sssssi", who->org, visible(&seen, who),
                         or_null(f->property), or_null(f->status),
                         or_null(f->assignee), (int64_t)HOTEL_LIST_MAX + 1),
        out);
    bh_buf_fini(&seen);
    return hotel_db_end(db, rc == 0) ? 0 : -EIO;
}

int
hotel_db_summary(struct hotel_db *db, const struct hotel_reader *who,
                 struct bh_buf *out)
{
    static const char sql[] =
        "WITH seen AS (SELECT p.id, p.position FROM property p"
        " WHERE p.org_id = ?1 AND (?2 IS NULL OR p.id IN (SELECT value FROM"
        "  json_each(?2)))),"
        " counts AS (SELECT seen.id, seen.position,"
        "  count(t.id) FILTER (WHERE t.status = 'open') AS open,"
        "  count(t.id) FILTER (WHERE t.status = 'doing') AS doing,"
        "  count(t.id) FILTER (WHERE t.status = 'done') AS done,"
        "  count(t.id) FILTER (WHERE t.status <> 'done' AND t.priority ="
        "   'urgent') AS urgent"
        "  FROM seen LEFT JOIN task t ON t.property_id = seen.id"
        "  GROUP BY seen.id ORDER BY seen.position)"
        " SELECT json_object('open', coalesce(sum(open), 0), 'doing',"
        " coalesce(sum(doing), 0), 'done', coalesce(sum(done), 0), 'urgent',"
        " coalesce(sum(urgent), 0), 'properties', json_group_array(json_object("
        "  'propertyId', id, 'open', open, 'doing', doing, 'done', done,"
        "  'urgent', urgent))) FROM counts";
    struct bh_buf seen = BH_BUF_INIT;

    if (!hotel_db_begin(db)) return -EIO;
    int rc = hotel_db_text(
        db, hotel_db_prepare(db, sql, "ss", who->org, visible(&seen, who)),
        out);
    bh_buf_fini(&seen);
    return hotel_db_end(db, rc == 0) ? 0 : -EIO;
}

/* ---- what a change must not do ---- */

/* 0 where the property is of the reader's org and the reader may see it. */
static int
check_property(struct hotel_db *db, const struct hotel_reader *who,
               const char *property)
{
    int64_t n = hotel_db_number(
        db,
        hotel_db_prepare(db,
                         "SELECT 1 FROM property WHERE id = ?1 AND org_id = ?2",
                         "ss", property, who->org),
        0);

    if (n < 0) return -EIO;
    return n == 1 && bh_claims_permit(who->claims, property) ? 0 : -EACCES;
}

/* 0 where nobody is meant, or somebody of the org who works at PROPERTY. */
static int
check_assignee(struct hotel_db *db, const char *org, const char *property,
               const char *assignee)
{
    if (assignee[0] == '\0') return 0;
    int64_t n = hotel_db_number(
        db,
        hotel_db_prepare(
            db,
            "SELECT 1 FROM staff WHERE id = ?1 AND org_id = ?2 AND (properties "
            "IS NULL OR ?3 IN (SELECT value FROM json_each(properties)))",
            "sss", assignee, org, property),
        0);
    if (n < 0) return -EIO;
    return n == 1 ? 0 : -EINVAL;
}

static int
check_room(struct hotel_db *db, const char *org)
{
    int64_t n = hotel_db_number(
        db,
        hotel_db_prepare(db, "SELECT count(*) FROM task WHERE org_id = ?1", "s",
                         org),
        0);

    if (n < 0) return -EIO;
    return n < HOTEL_TASKS_MAX ? 0 : -ENOSPC;
}

/* The task's property, where the reader may see the task: 0, else -ENOENT. */
static int
find_task(struct hotel_db *db, const struct hotel_reader *who, const char *id,
          struct bh_buf *property)
{
    int rc = hotel_db_text(
        db,
        hotel_db_prepare(
            db, "SELECT property_id FROM task WHERE id = ?1 AND org_id = ?2",
            "ss", id, who->org),
        property);

    if (rc != 0) return rc;
    return bh_claims_permit(who->claims, bh_buf_cstr(property)) ? 0 : -ENOENT;
}

static int
read_task(struct hotel_db *db, const char *id, struct bh_buf *out)
{
    return hotel_db_text(
        db,
        hotel_db_prepare(db, "SELECT json FROM task_json WHERE id = ?1", "s",
                         id),
        out);
}

/* The task as it is now to OUT, and into the outbox. */
static int
tell(struct hotel_db *db, const char *event, const struct hotel_reader *who,
     const char *property, const char *id, struct bh_buf *out)
{
    int rc = read_task(db, id, out);

    if (rc != 0) return rc;
    return hotel_db_announce(db, event, who->org, property, bh_buf_cstr(out));
}

/* Whatever was refused or failed is rolled back; with -ESTALE nothing has been
 * written, and OUT tells what was read. */
static int
finish(struct hotel_db *db, int rc)
{
    bool ok = rc >= 0 || rc == -ESTALE;

    if (!hotel_db_end(db, ok) && ok) return -EIO;
    return rc;
}

/* ---- create ---- */

static int
check_new_id(struct hotel_db *db, const struct hotel_reader *who,
             const char *id, struct bh_buf *out)
{
    int64_t n = hotel_db_number(
        db,
        hotel_db_prepare(
            db,
            "SELECT CASE WHEN org_id = ?2 AND created_by = ?3 THEN 2 ELSE 1 "
            "END FROM task WHERE id = ?1 UNION ALL SELECT 1 FROM deleted "
            "WHERE id = ?1",
            "sss", id, who->org, who->user),
        0);

    if (n == 0) return 0;
    if (n == 1) return -EEXIST;
    if (n < 0 || read_task(db, id, out) != 0) return -EIO;
    return EALREADY;
}

static int
insert(struct hotel_db *db, const struct hotel_reader *who,
       const struct hotel_task *t)
{
    static const char sql[] =
        "INSERT INTO task (id, org_id, property_id, title, room, notes, status,"
        " priority, assignee, created_by, created_ms, updated_by, updated_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, 'open'),"
        " coalesce(?8, 'normal'), ?9, ?10, ?11, ?10, ?11)";
    int rc = hotel_db_run(
        db, hotel_db_prepare(db, sql, "ssssssssssi", t->id, who->org,
                             t->property, t->title, t->room, t->notes,
                             or_null(t->status), or_null(t->priority),
                             or_null(t->assignee), who->user, bh_wall_ms()));

    return rc < 0 ? rc : 0;
}

int
hotel_db_create(struct hotel_db *db, const struct hotel_reader *who,
                const struct hotel_task *t, struct bh_buf *out)
{
    if (!hotel_db_begin(db)) return -EIO;
    int rc = check_new_id(db, who, t->id, out);
    if (rc == 0) rc = check_property(db, who, t->property);
    if (rc == 0) rc = check_assignee(db, who->org, t->property, t->assignee);
    if (rc == 0) rc = check_room(db, who->org);
    if (rc == 0) rc = insert(db, who, t);
    if (rc == 0) rc = tell(db, "TaskCreated", who, t->property, t->id, out);
    return finish(db, rc);
}

/* ---- update ---- */

static int
change(struct hotel_db *db, const struct hotel_reader *who,
       const struct hotel_task *t)
{
    static const char sql[] =
        "UPDATE task SET title = coalesce(?2, title), room = coalesce(?3, "
        "room), notes = coalesce(?4, notes), status = coalesce(?5, status),"
        " priority = coalesce(?6, priority),"
        " assignee = CASE WHEN ?7 THEN ?8 ELSE assignee END,"
        " updated_by = ?9, updated_ms = ?10, version = version + 1"
        " WHERE id = ?1 AND (?11 = 0 OR version = ?11)";
#define SAID(bit, value) (t->has & (bit) ? (value) : NULL)
    int rc = hotel_db_run(
        db, hotel_db_prepare(
                db, sql, "ssssssissii", t->id, SAID(HOTEL_HAS_TITLE, t->title),
                SAID(HOTEL_HAS_ROOM, t->room), SAID(HOTEL_HAS_NOTES, t->notes),
                SAID(HOTEL_HAS_STATUS, t->status),
                SAID(HOTEL_HAS_PRIORITY, t->priority),
                (int64_t)(t->has & HOTEL_HAS_ASSIGNEE ? 1 : 0),
                or_null(t->assignee), who->user, bh_wall_ms(), t->version));
#undef SAID
    if (rc < 0) return rc;
    return rc == 1 ? 0 : -ESTALE;
}

int
hotel_db_update(struct hotel_db *db, const struct hotel_reader *who,
                const struct hotel_task *t, struct bh_buf *out)
{
    struct bh_buf property = BH_BUF_INIT;

    if (!hotel_db_begin(db)) return -EIO;
    int rc = find_task(db, who, t->id, &property);
    const char *house = bh_buf_cstr(&property);
    if (rc == 0 && t->has & HOTEL_HAS_ASSIGNEE)
        rc = check_assignee(db, who->org, house, t->assignee);
    if (rc == 0) rc = change(db, who, t);
    if (rc == 0) rc = tell(db, "TaskUpdated", who, house, t->id, out);
    if (rc == -ESTALE && read_task(db, t->id, out) != 0) rc = -EIO;
    bh_buf_fini(&property);
    return finish(db, rc);
}

/* ---- delete ---- */

static int
remove_row(struct hotel_db *db, const char *id)
{
    int rc = hotel_db_run(
        db, hotel_db_prepare(db, "DELETE FROM task WHERE id = ?1", "s", id));

    if (rc >= 0)
        rc = hotel_db_run(
            db, hotel_db_prepare(db, "INSERT INTO deleted VALUES (?1, ?2)",
                                 "si", id, bh_wall_ms()));
    if (rc >= 0)
        rc = hotel_db_run(
            db, hotel_db_prepare(
                    db,
                    "DELETE FROM deleted WHERE rowid IN (SELECT rowid FROM "
                    "deleted ORDER BY rowid DESC LIMIT -1 OFFSET ?1)",
                    "i", (int64_t)HOTEL_DELETED_MAX));
    return rc < 0 ? rc : 0;
}

/* The event tells who did it and what went, as a version of its own. */
int
hotel_db_delete(struct hotel_db *db, const struct hotel_reader *who,
                const char *id, struct bh_buf *out)
{
    struct hotel_task touch = {.has = 0, .version = 0};
    struct bh_buf property = BH_BUF_INIT;

    memcpy(touch.id, id, strlen(id) + 1);
    if (!hotel_db_begin(db)) return -EIO;
    int rc = find_task(db, who, id, &property);
    if (rc == 0) rc = change(db, who, &touch);
    if (rc == 0)
        rc = tell(db, "TaskDeleted", who, bh_buf_cstr(&property), id, out);
    if (rc == 0) rc = remove_row(db, id);
    bh_buf_fini(&property);
    return finish(db, rc);
}
