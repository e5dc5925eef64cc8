-- Rows of every read model, and how far they have come. All of it can be rebuilt from the log.
CREATE SCHEMA IF NOT EXISTS read;

CREATE TABLE read.row (
    model text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    id    text COLLATE "C" NOT NULL,
    sort  text COLLATE "C" NOT NULL,
    -- the row as JSON; personal values in it are sealed
    body  text NOT NULL,
    PRIMARY KEY (model, scope, id)
);
CREATE INDEX row_in_order ON read.row (model, scope, sort);

-- The audit log: rows that are filtered by more than their order.
CREATE TABLE read.audit_entry (
    organization  text COLLATE "C" NOT NULL,
    -- the event's
    id            text COLLATE "C" NOT NULL,
    version       bigint NOT NULL,
    -- milliseconds since 1970
    at            bigint NOT NULL,
    action        text COLLATE "C" NOT NULL,
    actor         text COLLATE "C" NOT NULL,
    resource_type text COLLATE "C" NOT NULL,
    resource_id   text COLLATE "C" NOT NULL,
    -- what a search looks at, in lower case
    words         text COLLATE "C" NOT NULL,
    -- the row as JSON; personal values in it are sealed
    body          text NOT NULL,
    PRIMARY KEY (organization, id)
);
-- holds whatever a page or a count is filtered by, so that entries left out are not read
CREATE UNIQUE INDEX audit_entry_in_order
    ON read.audit_entry (organization, version, at, action, actor, resource_type, resource_id);

CREATE TABLE read.read_model (
    name     text PRIMARY KEY,
    version  bigint NOT NULL,
    status   text NOT NULL CHECK (status IN ('live', 'building', 'stuck')),
    -- how far it has come alone; a live model stands where the projector does
    position bigint NOT NULL,
    error    text
);

-- How far all live read models have come together, and who may advance them.
CREATE TABLE read.projector (
    one         boolean PRIMARY KEY CHECK (one),
    position    bigint NOT NULL,
    -- BLAKE3 of the line at that position
    anchor      bytea,
    log_id      uuid NOT NULL,
    -- raised whenever the owner changes: an owner of an earlier epoch can write nothing
    epoch       bigint NOT NULL,
    owner       text,
    -- by this database's clock
    lease_until timestamptz NOT NULL
);
