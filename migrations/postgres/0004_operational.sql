-- What is neither fact nor secret.
CREATE SCHEMA IF NOT EXISTS state;

-- The body a command id was first used with, where the body chooses the stream.
CREATE TABLE state.command_body (
    command uuid PRIMARY KEY,
    mac     bytea NOT NULL CHECK (octet_length(mac) = 32)
);

-- A named command that found nothing to change on a stream, and the stream's last event then: its
-- repeat is answered from there.
CREATE TABLE state.unchanged (
    command  uuid NOT NULL,
    stream   text NOT NULL,
    mac      bytea NOT NULL CHECK (octet_length(mac) = 32),
    version  bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (command, stream)
);

-- How far each reaction has come in the log.
CREATE TABLE state.cursor (
    name     text PRIMARY KEY,
    position bigint NOT NULL
);

-- How far tests have moved the clock ahead of the machine's.
CREATE TABLE state.clock (
    one   boolean PRIMARY KEY CHECK (one),
    -- milliseconds
    ahead bigint NOT NULL
);
