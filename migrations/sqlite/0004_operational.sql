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

-- Connections that proxies hold open to databases. Times are milliseconds since 1970 by this
-- database's own clock, which alone decides what lives.
CREATE TABLE connection_lease (
    lease           BLOB PRIMARY KEY CHECK (length(lease) = 16),
    organization    BLOB NOT NULL CHECK (length(organization) = 16),
    database        BLOB NOT NULL CHECK (length(database) = 16),
    project         BLOB CHECK (length(project) = 16),
    -- of the organization, when the lease was allowed: what comes after it may end it
    allowed_version INTEGER NOT NULL,
    -- of the order's body
    mac             BLOB NOT NULL CHECK (length(mac) = 32),
    began_at        INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    -- the commands that renewed and ended it last
    renewed_by      BLOB CHECK (length(renewed_by) = 16),
    released_by     BLOB CHECK (length(released_by) = 16),
    -- up to when its seconds are told as usage, and when there will be more to tell
    told_until      INTEGER NOT NULL,
    untold_at       INTEGER,
    -- from here on only of those that have ended, in their order, without a gap
    sequence        INTEGER UNIQUE,
    ended_at        INTEGER,
    reason          TEXT
) STRICT;
CREATE INDEX connection_lease_that_lives
    ON connection_lease (organization, began_at, lease) WHERE sequence IS NULL;
CREATE INDEX connection_lease_that_expires ON connection_lease (expires_at) WHERE sequence IS NULL;
CREATE INDEX connection_lease_untold ON connection_lease (untold_at) WHERE untold_at IS NOT NULL;

-- How many leases have ended, and how many of those are forgotten.
CREATE TABLE connection_end (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    last      INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;
INSERT INTO connection_end (one, last, forgotten) VALUES (1, 0, 0);
