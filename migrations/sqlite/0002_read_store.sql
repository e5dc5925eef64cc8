-- Rows of every read model, and how far they have come. All of it can be rebuilt from the log.
CREATE TABLE row (
    model TEXT NOT NULL,
    scope TEXT NOT NULL,
    id    TEXT NOT NULL,
    sort  TEXT NOT NULL,
    -- the row as JSON; personal values in it are sealed
    body  TEXT NOT NULL,
    PRIMARY KEY (model, scope, id)
) STRICT;
CREATE INDEX row_in_order ON row (model, scope, sort);

-- The audit log: rows that are filtered by more than their order.
CREATE TABLE audit_entry (
    organization  TEXT NOT NULL,
    -- the event's
    id            TEXT NOT NULL,
    version       INTEGER NOT NULL,
    -- milliseconds since 1970
    at            INTEGER NOT NULL,
    action        TEXT NOT NULL,
    actor         TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    -- what a search looks at, in lower case
    words         TEXT NOT NULL,
    -- the row as JSON; personal values in it are sealed
    body          TEXT NOT NULL,
    PRIMARY KEY (organization, id)
) STRICT;
-- holds whatever a page or a count is filtered by, so that entries left out are not read
CREATE UNIQUE INDEX audit_entry_in_order
    ON audit_entry (organization, version, at, action, actor, resource_type, resource_id);

CREATE TABLE read_model (
    name     TEXT PRIMARY KEY,
    version  INTEGER NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('live', 'building', 'stuck')),
    -- how far it has come alone; a live model stands where the projector does
    position INTEGER NOT NULL,
    error    TEXT
) STRICT;

-- How far all live read models have come together, and who may advance them.
CREATE TABLE projector (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    position    INTEGER NOT NULL,
    -- BLAKE3 of the line at that position
    anchor      BLOB,
    log_id      BLOB NOT NULL,
    -- raised whenever the owner changes: an owner of an earlier epoch can write nothing
    epoch       INTEGER NOT NULL,
    owner       TEXT,
    -- milliseconds since 1970, by this database's clock
    lease_until INTEGER NOT NULL
) STRICT;
