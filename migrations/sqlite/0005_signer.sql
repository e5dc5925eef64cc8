-- The last head of each log that was signed. Kept apart from everything a backup puts back: an
-- older log meets the newer head here, and is not signed.
CREATE TABLE signed_head (
    origin TEXT PRIMARY KEY,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL CHECK (length(root) = 32)
) STRICT;
