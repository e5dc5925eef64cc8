-- Keys, each wrapped by the master key, which is not in here.
CREATE SCHEMA IF NOT EXISTS keyring;

CREATE TABLE keyring.named_key (
    name    text PRIMARY KEY,
    wrapped bytea NOT NULL
);

-- One data key for each person or organization; NULL once it was destroyed on purpose.
CREATE TABLE keyring.subject_key (
    subject uuid PRIMARY KEY,
    wrapped bytea
);

-- How often keys were destroyed: a node that keeps opened keys forgets them when this has grown, and it
-- tells a keyring that was put back from an older copy.
CREATE TABLE keyring.destruction (
    one   boolean PRIMARY KEY CHECK (one),
    times bigint NOT NULL
);

-- Which subject stands for an e-mail address; the row goes when the person is erased.
CREATE TABLE keyring.address (
    mac     bytea PRIMARY KEY CHECK (octet_length(mac) = 32),
    subject uuid NOT NULL UNIQUE
);
