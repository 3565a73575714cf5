-- Bellhop's event log, version 1.
--
-- Anyone may read it while Bellhop runs: sqlite3 -readonly log.db
--     SELECT seq, datetime(stored_at/1000, 'unixepoch'), event_type, body
--       FROM events WHERE org_id = 'org-1' ORDER BY seq DESC LIMIT 20;
-- Don't write to it or checkpoint it by hand: whoever does so must hold
-- flock(2) on log.db.lock, see src/store.h.
--
-- Comments stand inside the statements, so that .schema shows them. Times are
-- milliseconds since 1970, UTC. Text is UTF-8. Once released, this file stays
-- as it is: every later change is a file in migrate/.

PRAGMA application_id = 1111837772; -- "BELL", which file(1) can show
PRAGMA user_version = 1;            -- the version of this schema

CREATE TABLE log (
    -- What is true of the whole log. One row.
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- The random name of this log, the first half of every cursor.
    log_id TEXT NOT NULL CHECK (length(log_id) = 16),
    created_at INTEGER NOT NULL,
    -- The highest seq ever pruned: nothing up to it is left. 0: none.
    pruned_seq INTEGER NOT NULL DEFAULT 0,
    -- The boot of the machine (random/boot_id) in which sync = normal was last
    -- in use; '' where every commit was synced. In another boot the sequence
    -- is moved on by 1,000,000: commits that were seen may have been lost.
    boot_id TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE events (
    -- Every event that was accepted, one row each.
    -- The number in the log: rising in commit order, never used twice.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- With org_id: the channel.
    domain TEXT NOT NULL,
    org_id TEXT NOT NULL,
    -- NULL: the event concerns the whole org.
    property_id TEXT,
    -- The publisher's name for the event: the same again is a duplicate.
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    -- When it happened, as the publisher says.
    timestamp INTEGER NOT NULL,
    -- When it was stored, by this machine's clock.
    stored_at INTEGER NOT NULL,
    -- Who published it: the token's subject.
    publisher TEXT NOT NULL,
    -- The event as it was published, compact JSON without the seq. Last, so
    -- that a long one costs nothing where only other columns are read.
    body TEXT NOT NULL,
    -- The eventId first: where publishers name events in the order of time, as
    -- with UUIDv7, new entries go side by side, and a commit writes few pages.
    UNIQUE (event_id, org_id, domain)
) STRICT;

-- The last seq given out, there from the first moment on: after a power failure
-- that left nothing else it can still be moved on.
INSERT INTO sqlite_sequence (name, seq) VALUES ('events', 0);

CREATE INDEX events_channel ON events (
    -- A channel's history in order: SQLite ends every entry with the seq.
    -- Pruning needs no index, since it goes by seq from the lowest.
    domain, org_id
);

CREATE TABLE refusals (
    -- Publishes that were refused to a valid token; the newest
    -- worker.refusals_kept of them. Nothing of their bodies is kept.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    domain TEXT NOT NULL,
    -- The token's org; '' where it has none.
    org_id TEXT NOT NULL,
    -- Who it was refused to: the token's subject.
    subject TEXT NOT NULL,
    -- The refusal's word, such as invalid_event.
    code TEXT NOT NULL,
    -- JSON Pointer to the place in the body; '' where there is none.
    pointer TEXT NOT NULL,
    -- What was wrong there.
    detail TEXT NOT NULL,
    -- The X-Request-ID of the answer.
    request_id TEXT NOT NULL,
    -- The length of the body.
    bytes INTEGER NOT NULL
) STRICT;
