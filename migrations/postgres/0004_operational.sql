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

-- From where and when each session was last used; what is personal in it is sealed.
CREATE TABLE state.session_activity (
    session    uuid PRIMARY KEY,
    account    uuid NOT NULL,
    -- milliseconds since 1970
    used_at    bigint NOT NULL,
    device     bytea,
    ip_address bytea
);
CREATE INDEX session_activity_of_account ON state.session_activity (account);

-- When each token was last used.
CREATE TABLE state.token_use (
    token   uuid PRIMARY KEY,
    -- milliseconds since 1970
    used_at bigint NOT NULL
);

-- Mails that the mail server has put off, or refused for good (then they are never due).
CREATE TABLE state.mail (
    event    uuid PRIMARY KEY,
    position bigint NOT NULL,
    attempts bigint NOT NULL,
    -- milliseconds since 1970
    due_at   bigint,
    refusal  text
);
CREATE INDEX mail_in_order ON state.mail (due_at);

-- How far tests have moved the clock ahead of the machine's.
CREATE TABLE state.clock (
    one   boolean PRIMARY KEY CHECK (one),
    -- milliseconds
    ahead bigint NOT NULL
);

-- Compliance packets that were made, and with which key each was signed. Lines and personal values
-- are not among their files: those are read from the log again, and what was erased is gone.
CREATE TABLE state.packet (
    packet uuid PRIMARY KEY,
    key_id text NOT NULL
);
CREATE TABLE state.packet_file (
    packet uuid NOT NULL REFERENCES state.packet (packet),
    name   text NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (packet, name)
);

-- Connections that proxies hold open to databases. Times are milliseconds since 1970 by this
-- database's own clock, which alone decides what lives.
CREATE TABLE state.connection_lease (
    lease           uuid PRIMARY KEY,
    organization    uuid NOT NULL,
    database        uuid NOT NULL,
    project         uuid,
    -- of the organization, when the lease was allowed: what comes after it may end it
    allowed_version bigint NOT NULL,
    -- of the order's body
    mac             bytea NOT NULL CHECK (octet_length(mac) = 32),
    began_at        bigint NOT NULL,
    expires_at      bigint NOT NULL,
    -- the commands that renewed and ended it last
    renewed_by      uuid,
    released_by     uuid,
    -- up to when its seconds are told as usage, and when there will be more to tell
    told_until      bigint NOT NULL,
    untold_at       bigint,
    -- from here on only of those that have ended, in their order, without a gap
    sequence        bigint UNIQUE,
    ended_at        bigint,
    reason          text
);
CREATE INDEX connection_lease_that_lives
    ON state.connection_lease (organization, began_at, lease) WHERE sequence IS NULL;
CREATE INDEX connection_lease_that_expires
    ON state.connection_lease (expires_at) WHERE sequence IS NULL;
CREATE INDEX connection_lease_untold
    ON state.connection_lease (untold_at) WHERE untold_at IS NOT NULL;

-- How many leases have ended, and how many of those are forgotten.
CREATE TABLE state.connection_end (
    one       boolean PRIMARY KEY CHECK (one),
    last      bigint NOT NULL,
    forgotten bigint NOT NULL
);
INSERT INTO state.connection_end (one, last, forgotten) VALUES (true, 0, 0);
