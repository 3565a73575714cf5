-- 002: what clients tell of themselves (POST /telemetry/client), and views that
-- answer the usual questions about it:
--     sqlite3 -readonly -box log.db 'SELECT * FROM telemetry_errors'
-- Comments stand inside the statements, so that .schema shows them.
--
-- No address is stored, nor a hash of one: there are so few IPv4 addresses that
-- a hash gives the address away, and no question here needs it. What belongs
-- together shows by session_id, which the client makes up.

PRAGMA user_version = 2;

CREATE TABLE telemetry (
    -- The newest telemetry.rows of the last telemetry.keep_days. Written by
    -- anybody: nothing in it is proven.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- When it came, by this machine's clock; milliseconds since 1970.
    at INTEGER NOT NULL,
    -- fast_empty, leader_acquired, leader_takeover, subscribe_error, gap,
    -- steal; or other: then data has it.
    event_type TEXT NOT NULL,
    domain TEXT NOT NULL,
    -- One page load of one browser; '' where the client named none.
    session_id TEXT NOT NULL,
    tab_id TEXT NOT NULL,
    -- When it happened by the client's clock; NULL where it didn't say.
    timestamp INTEGER,
    -- Its other members: compact JSON, an object.
    data TEXT NOT NULL
) STRICT;

CREATE INDEX telemetry_at ON telemetry (
    -- For the views of a time, and to find what is too old.
    at
);

CREATE VIEW telemetry_types AS
    -- What do clients tell at all, and since when? Clients send a sample, so
    -- the numbers are to be compared with each other.
    SELECT domain, event_type, count(*) AS n,
        count(DISTINCT nullif(session_id, '')) AS sessions,
        datetime(min(at) / 1000, 'unixepoch') AS first,
        datetime(max(at) / 1000, 'unixepoch') AS last
    FROM telemetry GROUP BY domain, event_type;

CREATE VIEW telemetry_fast_empty AS
    -- Hour by hour: do polls come back empty at once? A rise means that
    -- something between browser and broker cuts them, or that a cap is met.
    SELECT strftime('%Y-%m-%d %H:00', at / 1000, 'unixepoch') AS hour, domain,
        count(*) AS n, count(DISTINCT nullif(session_id, '')) AS sessions,
        round(avg(coalesce(data ->> '$.elapsedMs',
                           data ->> '$.data.elapsedMs'))) AS elapsed_ms
    FROM telemetry WHERE event_type = 'fast_empty'
    GROUP BY hour, domain;

CREATE VIEW telemetry_takeovers AS
    -- Hour by hour: how often does a tab become leader, and how often because
    -- another one has fallen silent or was robbed?
    SELECT strftime('%Y-%m-%d %H:00', at / 1000, 'unixepoch') AS hour, domain,
        sum(event_type = 'leader_acquired') AS acquired,
        sum(event_type = 'leader_takeover') AS takeovers,
        sum(event_type = 'steal') AS steals
    FROM telemetry
    WHERE event_type IN ('leader_acquired', 'leader_takeover', 'steal')
    GROUP BY hour, domain;

CREATE VIEW telemetry_errors AS
    -- Day by day: with which HTTP status do subscribes fail? NULL: no answer
    -- came, or the client didn't say.
    SELECT date(at / 1000, 'unixepoch') AS day, domain,
        coalesce(data ->> '$.status', data ->> '$.data.status') AS status,
        count(*) AS n, count(DISTINCT nullif(session_id, '')) AS sessions
    FROM telemetry WHERE event_type = 'subscribe_error'
    GROUP BY day, domain, status;

CREATE VIEW telemetry_gaps AS
    -- Day by day: how often were clients told that they miss something, and
    -- why?
    SELECT date(at / 1000, 'unixepoch') AS day, domain,
        coalesce(data ->> '$.reason', data ->> '$.data.reason') AS reason,
        count(*) AS n, count(DISTINCT nullif(session_id, '')) AS sessions
    FROM telemetry WHERE event_type = 'gap'
    GROUP BY day, domain, reason;

CREATE VIEW telemetry_sessions AS
    -- Which browsers' tabs fight over being the leader? The most steals first.
    SELECT session_id, domain, sum(event_type = 'steal') AS steals,
        sum(event_type = 'leader_takeover') AS takeovers,
        count(DISTINCT nullif(tab_id, '')) AS tabs,
        datetime(min(at) / 1000, 'unixepoch') AS first,
        datetime(max(at) / 1000, 'unixepoch') AS last
    FROM telemetry WHERE session_id != ''
    GROUP BY session_id, domain
    ORDER BY steals DESC, takeovers DESC, last DESC;
