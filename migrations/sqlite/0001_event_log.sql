-- The log. One row an event; nothing is ever changed or deleted.
CREATE TABLE event (
    position  INTEGER PRIMARY KEY CHECK (position > 0),
    stream    TEXT    NOT NULL CHECK (length(stream) BETWEEN 3 AND 200),
    version   INTEGER NOT NULL CHECK (version >= 0),
    event_id  BLOB    NOT NULL CHECK (length(event_id) = 16),
    kind      TEXT    NOT NULL CHECK (length(kind) BETWEEN 1 AND 120),
    line      BLOB    NOT NULL,
    sealed    BLOB    NOT NULL,
    -- BLAKE3 of the line
    link      BLOB    NOT NULL CHECK (length(link) = 32),
    -- milliseconds since 1970; information only, never an order
    stored_at INTEGER NOT NULL,
    UNIQUE (stream, version),
    UNIQUE (event_id)
) STRICT;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

-- INSERT OR REPLACE deletes without firing the trigger above; this one stops it on any connection
CREATE TRIGGER event_only_next BEFORE INSERT ON event
WHEN NEW.position IS NOT (SELECT COALESCE(MAX(position), 0) + 1 FROM event)
    OR EXISTS (SELECT 1 FROM event WHERE stream = NEW.stream AND version >= NEW.version)
    OR EXISTS (SELECT 1 FROM event WHERE event_id = NEW.event_id)
BEGIN SELECT RAISE(ABORT, 'the event log takes only the next event'); END;
