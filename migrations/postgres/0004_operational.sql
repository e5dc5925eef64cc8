-- What is neither fact nor secret.
CREATE SCHEMA IF NOT EXISTS state;

-- The body a command id was first used with, where the body chooses the stream.
CREATE TABLE state.command_body (
    command uuid PRIMARY KEY,
    mac     bytea NOT NULL CHECK (octet_length(mac) = 32)
);

-- How far each reaction has come in the log.
CREATE TABLE state.cursor (
    name     text PRIMARY KEY,
    position bigint NOT NULL
);
