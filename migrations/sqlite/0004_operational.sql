-- What is neither fact nor secret.

-- The body a command id was first used with, where the body chooses the stream.
CREATE TABLE command_body (
    command BLOB PRIMARY KEY CHECK (length(command) = 16),
    mac     BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

-- A named command that found nothing to change on a stream, and the stream's last event then: its
-- repeat is answered from there.
CREATE TABLE unchanged (
    command  BLOB NOT NULL CHECK (length(command) = 16),
    stream   TEXT NOT NULL,
    mac      BLOB NOT NULL CHECK (length(mac) = 32),
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (command, stream)
) STRICT;

-- How far each reaction has come in the log.
CREATE TABLE cursor (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

-- How far tests have moved the clock ahead of the machine's.
CREATE TABLE clock (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    -- milliseconds
    ahead INTEGER NOT NULL
) STRICT;
