-- 005: indexes for the two views of telemetry that sort all of it. Of a hundred
-- thousand rows telemetry_types took a tenth of a second without; telemetry is
-- written a hundred times a second at most, so that an index costs little.
-- Comments stand inside the statements, so that .schema shows them.

PRAGMA user_version = 5;

CREATE INDEX telemetry_by_type ON telemetry (
    -- All that telemetry_types reads, in its order.
    domain, event_type, session_id, at
);

CREATE INDEX telemetry_by_session ON telemetry (
    -- All that telemetry_sessions reads, in its order.
    session_id, domain, event_type, tab_id, at
);
