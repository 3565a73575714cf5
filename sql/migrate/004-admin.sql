-- 004: the admin's questions: views, the summaries behind them, a record of
-- deliveries and duplicates, and what pruning has to remember.
--     sqlite3 -readonly -box log.db 'SELECT * FROM events_by_hour'
-- docs/sql.md goes through them with examples. Comments stand inside the
-- statements, so that .schema shows them.
--
-- No index on events is added: each would be paid for by every publish. Time is
-- found through `hours`, one row an hour; what asks about everything reads
-- summaries, which `bellhopctl summarize` and `bellhopctl prune` bring up to date, and
-- where it stays cheap the views add what is newer from events.

PRAGMA user_version = 4;

CREATE TABLE hours (
    -- Where each hour begins in the log: written by whoever stores its first
    -- event. So a time becomes a range of seq without an index on events.
    hour INTEGER PRIMARY KEY, -- its beginning
    first_seq INTEGER NOT NULL
) STRICT;

INSERT INTO hours (hour, first_seq)
    SELECT stored_at / 3600000 * 3600000, min(seq) FROM events GROUP BY 1;

CREATE TABLE pruned (
    -- Channels that were pruned by themselves, further than log.pruned_seq:
    -- nothing of the channel is left up to this seq.
    domain TEXT NOT NULL,
    org_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (domain, org_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    -- Organisations of which nothing may be pruned (bellhopctl hold).
    org_id TEXT PRIMARY KEY,
    held_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    -- log.pruned_seq when the hold began: for this org it counts in its place.
    pruned_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    -- What became of an event: written with the commit after its own, the
    -- newest log.deliveries_kept of them. None where that is 0.
    seq INTEGER PRIMARY KEY,
    -- Waiters answered; NULL: the broker couldn't be asked.
    woken INTEGER,
    -- Microseconds from the request until the broker had woken them.
    took INTEGER NOT NULL
) STRICT;

CREATE TABLE duplicates (
    -- Events that were sent again, and so not stored again: counted.
    hour INTEGER NOT NULL,
    domain TEXT NOT NULL,
    org_id TEXT NOT NULL,
    publisher TEXT NOT NULL,
    n INTEGER NOT NULL,
    -- The last one: when, and the seq of the first event of its name.
    last_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (hour, domain, org_id, publisher)
) STRICT, WITHOUT ROWID;

CREATE TABLE summary (
    -- How far the summaries below go. One row.
    only INTEGER PRIMARY KEY CHECK (only = 1),
    upto INTEGER NOT NULL,            -- the last event counted
    deliveries_upto INTEGER NOT NULL, -- the last delivery
    at INTEGER NOT NULL
) STRICT;
INSERT INTO summary VALUES (1, 0, 0, 0);

CREATE TABLE hour_types (
    hour INTEGER NOT NULL,
    domain TEXT NOT NULL,
    event_type TEXT NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL, -- of their bodies
    PRIMARY KEY (hour, domain, event_type)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_orgs (
    day TEXT NOT NULL, -- 2026-11-24, UTC
    domain TEXT NOT NULL,
    org_id TEXT NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (day, domain, org_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX day_orgs_busiest ON day_orgs (
    -- So that the first few of a day are found without sorting all.
    day, events
);

CREATE TABLE domain_totals (
    domain TEXT PRIMARY KEY,
    events INTEGER NOT NULL, -- ever, pruned ones too
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hour_delays (
    -- A histogram of deliveries.took.
    hour INTEGER NOT NULL,
    domain TEXT NOT NULL,
    ms INTEGER NOT NULL, -- the upper end of the step
    n INTEGER NOT NULL,
    woken INTEGER NOT NULL, -- waiters answered by these
    PRIMARY KEY (hour, domain, ms)
) STRICT, WITHOUT ROWID;

CREATE VIEW org_events AS
    -- What happened in this org since …? Name domain, org and the hour:
    --   SELECT * FROM org_events WHERE domain = 'tasks' AND org_id = 'org-1'
    --   AND hour >= '2026-11-24 08:00' ORDER BY seq DESC LIMIT 50;
    SELECT strftime('%Y-%m-%d %H:00', h.hour / 1000, 'unixepoch') AS hour,
        e.seq,
        strftime('%Y-%m-%d %H:%M:%f', e.stored_at / 1000.0, 'unixepoch')
            AS stored,
        e.domain, e.org_id, e.property_id, e.event_type, e.event_id,
        e.publisher, e.body -> '$.payload' AS payload
    FROM (SELECT hour, first_seq,
              lead(first_seq, 1, 9223372036854775807) OVER (ORDER BY hour)
                  AS next_seq
          FROM hours) AS h
        CROSS JOIN events AS e
        ON e.seq >= h.first_seq AND e.seq < h.next_seq;

CREATE VIEW busiest_orgs AS
    -- Which orgs have the most events, day by day? As of the last summary:
    --   SELECT * FROM busiest_orgs WHERE day = date('now') LIMIT 20;
    SELECT day, domain, org_id, events, bytes,
        datetime(last_at / 1000, 'unixepoch') AS last
    FROM day_orgs ORDER BY day DESC, events DESC;

CREATE VIEW events_by_hour AS
    -- How many events of which type came in each hour of the last 31 days?
    -- hour_types has the older hours.
    SELECT strftime('%Y-%m-%d %H:00', hour / 1000, 'unixepoch') AS hour,
        domain, event_type, events, bytes
    FROM (SELECT hour, domain, event_type, sum(events) AS events,
              sum(bytes) AS bytes
          FROM (SELECT hour, domain, event_type, events, bytes FROM hour_types
                WHERE hour >= (strftime('%s', 'now') / 3600 - 744) * 3600000
                UNION ALL
                SELECT stored_at / 3600000 * 3600000, domain, event_type, 1,
                    length(CAST(body AS BLOB))
                FROM events WHERE seq > (SELECT upto FROM summary))
          GROUP BY hour, domain, event_type);

CREATE VIEW latency_by_hour AS
    -- How long did it take, in milliseconds, from a publish until its waiters
    -- were woken, in each hour of the last 31 days? As of the last summary;
    -- the figures are upper ends of a histogram's steps.
    WITH steps AS (
        SELECT hour, domain, ms, n, woken,
            sum(n) OVER (PARTITION BY hour, domain ORDER BY ms) AS upto,
            sum(n) OVER (PARTITION BY hour, domain) AS total
        FROM hour_delays
        WHERE hour >= (strftime('%s', 'now') / 3600 - 744) * 3600000)
    SELECT strftime('%Y-%m-%d %H:00', hour / 1000, 'unixepoch') AS hour,
        domain, sum(n) AS events, sum(woken) AS woken,
        min(ms) FILTER (WHERE upto >= total * 0.5) AS p50,
        min(ms) FILTER (WHERE upto >= total * 0.9) AS p90,
        min(ms) FILTER (WHERE upto >= total * 0.99) AS p99,
        max(ms) AS max
    FROM steps GROUP BY steps.hour, domain;

CREATE VIEW slowest_deliveries AS
    -- Which of the last 10,000 deliveries took longest?
    SELECT d.seq, d.took / 1000.0 AS ms, d.woken,
        datetime(e.stored_at / 1000, 'unixepoch') AS stored,
        e.domain, e.org_id, e.event_type
    FROM (SELECT * FROM deliveries ORDER BY seq DESC LIMIT 10000) AS d
        JOIN events AS e ON e.seq = d.seq
    ORDER BY d.took DESC;

CREATE VIEW refusals_by_reason AS
    -- What is refused to publishers, day by day, to whom, and where did the
    -- last of them go wrong? Of the newest worker.refusals_kept.
    SELECT date(at / 1000, 'unixepoch') AS day, domain, code, count(*) AS n,
        count(DISTINCT subject) AS subjects, subject AS last_subject,
        pointer AS last_pointer, detail AS last_detail, max(id) AS last_id
    FROM refusals GROUP BY 1, 2, 3;

CREATE VIEW duplicates_by_day AS
    -- Who sends events twice? A few are retries, as they should be; many mean
    -- a publisher that doesn't see its answers.
    SELECT date(hour / 1000, 'unixepoch') AS day, domain, publisher,
        sum(n) AS n, count(DISTINCT org_id) AS orgs,
        datetime(max(last_at) / 1000, 'unixepoch') AS last
    FROM duplicates GROUP BY 1, 2, 3;

CREATE VIEW silent_domains AS
    -- When did the last event of each domain come, the longest silence first?
    SELECT domain, sum(events) AS events,
        datetime(min(first_at) / 1000, 'unixepoch') AS first,
        datetime(max(last_at) / 1000, 'unixepoch') AS last,
        (strftime('%s', 'now') - max(last_at) / 1000) / 60 AS silent_minutes
    FROM (SELECT domain, events, first_at, last_at FROM domain_totals
          UNION ALL
          SELECT domain, 1, stored_at, stored_at
          FROM events WHERE seq > (SELECT upto FROM summary))
    GROUP BY domain ORDER BY max(last_at);
