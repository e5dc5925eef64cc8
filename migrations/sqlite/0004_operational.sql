-- What is neither fact nor secret.

-- The body a command id was first used with, where the body chooses the stream.
CREATE TABLE command_body (
    command BLOB PRIMARY KEY CHECK (length(command) = 16),
    mac     BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

-- How far each reaction has come in the log.
CREATE TABLE cursor (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;
