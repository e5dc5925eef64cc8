-- Keys, each wrapped by the master key, which is not in here.
CREATE TABLE named_key (
    name    TEXT PRIMARY KEY,
    wrapped BLOB NOT NULL
) STRICT;

-- One data key for each person or organization; NULL once it was destroyed on purpose.
CREATE TABLE subject_key (
    subject BLOB PRIMARY KEY CHECK (length(subject) = 16),
    wrapped BLOB
) STRICT;

-- How often keys were destroyed: tells a keyring that was put back from an older copy.
CREATE TABLE destruction (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    times INTEGER NOT NULL
) STRICT;

-- Which subject stands for an e-mail address; the row goes when the person is erased.
CREATE TABLE address (
    mac     BLOB PRIMARY KEY CHECK (length(mac) = 32),
    subject BLOB NOT NULL UNIQUE
) STRICT;
