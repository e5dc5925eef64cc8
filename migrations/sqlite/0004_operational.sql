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

-- From where and when each session was last used; what is personal in it is sealed.
CREATE TABLE session_activity (
    session    BLOB PRIMARY KEY CHECK (length(session) = 16),
    account    BLOB NOT NULL CHECK (length(account) = 16),
    -- milliseconds since 1970
    used_at    INTEGER NOT NULL,
    device     BLOB,
    ip_address BLOB
) STRICT;
CREATE INDEX session_activity_of_account ON session_activity (account);

-- When each token was last used.
CREATE TABLE token_use (
    token   BLOB PRIMARY KEY CHECK (length(token) = 16),
    -- milliseconds since 1970
    used_at INTEGER NOT NULL
) STRICT;

-- Mails that the mail server has put off, or refused for good (then they are never due).
CREATE TABLE mail (
    event    BLOB PRIMARY KEY CHECK (length(event) = 16),
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    -- milliseconds since 1970
    due_at   INTEGER,
    refusal  TEXT
) STRICT;
CREATE INDEX mail_in_order ON mail (due_at);

-- How far tests have moved the clock ahead of the machine's.
CREATE TABLE clock (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    -- milliseconds
    ahead INTEGER NOT NULL
) STRICT;

-- Compliance packets that were made, and with which key each was signed. Lines and personal values
-- are not among their files: those are read from the log again, and what was erased is gone.
CREATE TABLE packet (
    packet BLOB PRIMARY KEY CHECK (length(packet) = 16),
    key_id TEXT NOT NULL
) STRICT;
CREATE TABLE packet_file (
    packet BLOB NOT NULL REFERENCES packet (packet),
    name   TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (packet, name)
) STRICT;
