-- The log. One row an event; nothing is ever changed or deleted.
CREATE TABLE log.event (
    position  bigint PRIMARY KEY CHECK (position > 0),
    stream    text COLLATE "C" NOT NULL CHECK (octet_length(stream) BETWEEN 3 AND 200),
    version   bigint NOT NULL CHECK (version >= 0),
    event_id  uuid NOT NULL,
    kind      text COLLATE "C" NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 120),
    line      bytea NOT NULL CHECK (octet_length(line) <= 262144),
    sealed    bytea NOT NULL,
    -- BLAKE3 of the line
    link      bytea NOT NULL CHECK (octet_length(link) = 32),
    -- information only, never an order
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT event_stream_version UNIQUE (stream, version),
    CONSTRAINT event_event_id UNIQUE (event_id)
);

CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only (%)', TG_OP USING ERRCODE = '23001';
END $$;

CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON log.event
    FOR EACH ROW EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON log.event
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

-- Positions are unique; so rows without a hole among them, next to one that is there, are the next.
-- Once a statement, so that it costs the same for one event and for thousands.
CREATE FUNCTION log.refuse_hole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT min(position) AS lowest, max(position) AS highest, count(*) AS added
                     FROM new_events) AS new
        WHERE highest - lowest + 1 <> added
           OR lowest > 1 AND NOT EXISTS (SELECT FROM log.event WHERE position = lowest - 1)
    ) THEN
        RAISE EXCEPTION 'the event log takes only the next position' USING ERRCODE = '23514';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER event_only_next AFTER INSERT ON log.event REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_hole();

-- ALWAYS: session_replication_role = replica would pass an ordinary trigger by
ALTER TABLE log.event ENABLE ALWAYS TRIGGER event_no_change;
ALTER TABLE log.event ENABLE ALWAYS TRIGGER event_no_truncate;
ALTER TABLE log.event ENABLE ALWAYS TRIGGER event_only_next;
