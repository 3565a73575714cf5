/* board.c: the tasks, as the page asks for them. */
#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "db.h"
#include "json.h"
#include "relay.h"
#include "task.h"

#define CURSOR_MS 2000

static struct hotel_reader
reader_of(const struct hotel_call *c)
{
    return (struct hotel_reader){c->claims->user, c->claims->org, c->claims};
}

static void
fail(struct hotel_call *c)
{
    hotel_refuse(&c->reply, HOTEL_INTERNAL, "The database failed.", NULL);
}

void
hotel_handle_health(struct hotel_call *c)
{
    int waiting = hotel_db_waiting(c->hotel->db);

    if (waiting < 0)
        fail(c);
    else
        bh_buf_fmt(&c->reply.body, "{\"status\":\"ok\",\"outbox\":%d}",
                   waiting);
}

void
hotel_handle_hotel(struct hotel_call *c)
{
    int rc = hotel_db_hotel(c->hotel->db, c->claims->org, c->claims->user,
                            &c->reply.body);

    if (rc == -ENOENT)
        hotel_refuse(&c->reply, HOTEL_FORBIDDEN,
                     "The token is of nobody who works here.", NULL);
    else if (rc != 0)
        fail(c);
}

/* ---- the list, and where it ends ---- */

/* Whether TEXT may stand in a header: a cursor has letters, digits and a dash.
 */
static bool
is_cursor(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < BH_CURSOR_MAX &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz-") == len;
}

/* {"cursor":"…"} of Bellhop's, with the reader's own token. "" without. */
static void
fetch_cursor(struct hotel_call *c, char out[BH_CURSOR_MAX])
{
    struct bh_buf json = BH_BUF_INIT, text = BH_BUF_INIT;
    struct bh_json_error at;
    struct hotel_answer a;
    struct bh_str value;
    char url[512];

    out[0] = '\0';
    snprintf(url, sizeof url, "%s/cursor", c->hotel->bellhop);
    hotel_http_send(c->http, url, c->rq->authorization, NULL, CURSOR_MS, &a);
    if (a.status == 200 &&
        bh_json_check(&json, (struct bh_str){a.body.p, a.body.len},
                      HOTEL_DEPTH_MAX, "", &at) == 0 &&
        bh_json_member((struct bh_str){json.p, json.len}, "cursor", &value) &&
        value.p[0] == '"' && bh_json_string(&text, value) == 0 &&
        is_cursor(bh_buf_cstr(&text)))
        snprintf(out, BH_CURSOR_MAX, "%s", bh_buf_cstr(&text));
    bh_buf_fini(&text);
    bh_buf_fini(&json);
    hotel_answer_free(&a);
}

/*
 * The cursor first, then the rows: what is committed in between is in the rows
 * and comes as an event once more, which does no harm since a task has its
 * version. The other way round it would be in neither. Without a cursor
 * (Bellhop is down) the page gets its rows all the same.
 */
void
hotel_handle_list(struct hotel_call *c)
{
    struct hotel_reader who = reader_of(c);
    struct hotel_filter filter = {c->rq->property, c->rq->status,
                                  c->rq->assignee};
    struct bh_buf *body = &c->reply.body;
    char cursor[BH_CURSOR_MAX];

    if (filter.property[0] != '\0' &&
        !bh_claims_permit(c->claims, filter.property)) {
        hotel_refuse(&c->reply, HOTEL_FORBIDDEN,
                     "The property isn't among those of the token.", NULL);
        return;
    }
    fetch_cursor(c, cursor);
    bh_buf_str(body, "{");
    if (hotel_db_list(c->hotel->db, &who, &filter, body) != 0) {
        fail(c);
        return;
    }
    if (cursor[0] == '\0') {
        bh_buf_str(body, ",\"cursor\":null}");
        return;
    }
    bh_buf_fmt(body, ",\"cursor\":\"%s\"}", cursor);
    bh_buf_fmt(&c->reply.headers, "X-Realtime-Cursor: %s\r\n", cursor);
}

void
hotel_handle_summary(struct hotel_call *c)
{
    struct hotel_reader who = reader_of(c);

    if (hotel_db_summary(c->hotel->db, &who, &c->reply.body) != 0) fail(c);
}

/* ---- changes ---- */

static void
answer_conflict(struct hotel_call *c)
{
    struct bh_buf task = c->reply.body;

    c->reply.body = (struct bh_buf)BH_BUF_INIT;
    hotel_refuse(&c->reply, HOTEL_CONFLICT,
                 "The task has changed since; `task` is how it stands now.",
                 "/version");
    if (c->reply.body.len > 0) {
        c->reply.body.len--; /* the closing brace */
        bh_buf_fmt(&c->reply.body, ",\"task\":%s}", bh_buf_cstr(&task));
    }
    bh_buf_fini(&task);
}

/* What RC of db.h says to the client. */
static void
answer_change(struct hotel_call *c, int rc, int status)
{
    switch (rc) {
    case 0:
        c->reply.status = status;
        hotel_relay_wake(c->hotel->relay);
        break;
    case EALREADY:
        c->reply.status = 200;
        break;
    case -ENOENT:
        hotel_refuse(&c->reply, HOTEL_NOT_FOUND, "There is no such task.",
                     NULL);
        break;
    case -EACCES:
        hotel_refuse(&c->reply, HOTEL_FORBIDDEN,
                     "The property isn't one of yours.", "/propertyId");
        break;
    case -EINVAL:
        hotel_refuse(&c->reply, HOTEL_INVALID_TASK,
                     "Nobody of that id works there.", "/assignee");
        break;
    case -EEXIST:
        hotel_refuse(&c->reply, HOTEL_CONFLICT,
                     "The id is, or was, another task's.", "/taskId");
        break;
    case -ESTALE:
        answer_conflict(c);
        break;
    case -ENOSPC:
        hotel_refuse(&c->reply, HOTEL_BOARD_FULL,
                     "There are 2000 tasks: delete some.", NULL);
        break;
    default:
        fail(c);
    }
}

static bool
read_body(struct hotel_call *c, struct hotel_task *t, bool new)
{
    char pointer[BH_POINTER_MAX];
    const char *wrong = hotel_task_read(t, &c->rq->body, new, pointer);

    if (wrong == NULL) return true;
    hotel_refuse(&c->reply, HOTEL_INVALID_TASK, wrong, pointer);
    return false;
}

void
hotel_handle_create(struct hotel_call *c)
{
    struct hotel_reader who = reader_of(c);
    struct hotel_task t;

    if (read_body(c, &t, true))
        answer_change(
            c, hotel_db_create(c->hotel->db, &who, &t, &c->reply.body), 201);
}

void
hotel_handle_update(struct hotel_call *c)
{
    struct hotel_reader who = reader_of(c);
    struct hotel_task t;

    if (!read_body(c, &t, false)) return;
    snprintf(t.id, sizeof t.id, "%s", c->id);
    answer_change(c, hotel_db_update(c->hotel->db, &who, &t, &c->reply.body),
                  200);
}

void
hotel_handle_delete(struct hotel_call *c)
{
    struct hotel_reader who = reader_of(c);

    answer_change(c, hotel_db_delete(c->hotel->db, &who, c->id, &c->reply.body),
                  204);
    if (c->reply.status == 204) bh_buf_reset(&c->reply.body);
}
