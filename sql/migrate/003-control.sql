-- 003: what an operator has said and what must outlive a restart: tokens and
-- users that are turned away, and domains that are switched off. bellhopctl
-- deny and bellhopctl domain write it; nobody else should, since running
-- processes look here only when they are told to (and every few seconds).
-- Comments stand inside the statements, so that .schema shows them.

PRAGMA user_version = 3;

CREATE TABLE denied (
    -- Whose tokens are refused with 401 token_invalid, however good they are.
    -- jti: one token, by its claim of this name. sub: all tokens of a user.
    kind TEXT NOT NULL CHECK (kind IN ('jti', 'sub')),
    value TEXT NOT NULL,
    -- Only tokens of this org; '': whatever their org.
    org_id TEXT NOT NULL,
    -- Milliseconds since 1970, when the entry ends; 0: it stays.
    until INTEGER NOT NULL,
    -- What the operator said for.
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (kind, value, org_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE domain_switches (
    -- The last word of bellhopctl domain about each domain. A domain without a
    -- row is on. The configuration and the environment can switch it off too;
    -- any "off" wins.
    domain TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
