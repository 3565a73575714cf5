-- The demo's own database. All of a change is one transaction: the task's row
-- and the outbox row that announces it are committed together or not at all.
PRAGMA user_version = 1;

CREATE TABLE org (
    id   TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE property (
    id       TEXT PRIMARY KEY,
    org_id   TEXT NOT NULL REFERENCES org(id),
    name     TEXT NOT NULL,
    city     TEXT NOT NULL,
    position INTEGER NOT NULL
) STRICT;

-- properties: a JSON array of the only ones this person may see; NULL: all.
CREATE TABLE staff (
    id         TEXT PRIMARY KEY,
    org_id     TEXT NOT NULL REFERENCES org(id),
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    properties TEXT CHECK (properties IS NULL OR json_valid(properties)),
    position   INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    id         TEXT PRIMARY KEY,
    staff_id   TEXT NOT NULL REFERENCES staff(id),
    expires_ms INTEGER NOT NULL
) STRICT;

-- Refresh tokens by their SHA-256; the tokens themselves are nowhere. One that
-- was used is good until valid_until_ms, for the tab whose answer got lost.
CREATE TABLE refresh (
    digest         TEXT PRIMARY KEY,
    session_id     TEXT NOT NULL REFERENCES session(id) ON DELETE CASCADE,
    made_ms        INTEGER NOT NULL,
    valid_until_ms INTEGER
) STRICT;
CREATE INDEX refresh_session ON refresh(session_id, made_ms);

CREATE TABLE task (
    id          TEXT PRIMARY KEY,
    org_id      TEXT NOT NULL REFERENCES org(id),
    property_id TEXT NOT NULL REFERENCES property(id),
    title       TEXT NOT NULL,
    room        TEXT NOT NULL DEFAULT '',
    notes       TEXT NOT NULL DEFAULT '',
    status      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'doing', 'done')),
    priority    TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'urgent')),
    assignee    TEXT REFERENCES staff(id),
    created_by  TEXT NOT NULL REFERENCES staff(id),
    created_ms  INTEGER NOT NULL,
    updated_by  TEXT NOT NULL REFERENCES staff(id),
    updated_ms  INTEGER NOT NULL,
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX task_org ON task(org_id, updated_ms);

-- Names that must not come back: a client would take the new task for an older
-- version of the deleted one.
CREATE TABLE deleted (
    id         TEXT PRIMARY KEY,
    deleted_ms INTEGER NOT NULL
) STRICT;

-- What is still to be published, in order. AUTOINCREMENT: a number is never
-- given twice.
CREATE TABLE outbox (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL
) STRICT;

-- What Bellhop refused for good: it would be refused again for ever, and hold
-- up all that comes after it. For a human to look at.
CREATE TABLE refused (
    seq        INTEGER PRIMARY KEY,
    body       TEXT NOT NULL,
    status     INTEGER NOT NULL,
    refused_ms INTEGER NOT NULL
) STRICT;

-- A task as the page gets it, from the list and in an event alike.
CREATE VIEW task_json AS
SELECT id, json_object(
    'taskId', id, 'propertyId', property_id, 'title', title, 'room', room, 'notes', notes,
    'status', status, 'priority', priority, 'assignee', assignee,
    'createdBy', created_by, 'createdAt', created_ms,
    'updatedBy', updated_by, 'updatedAt', updated_ms, 'version', version) AS json
FROM task;
