-- The last head of each log that was signed. Kept in a database of its own, apart from everything a
-- backup puts back: an older log meets the newer head here, and is not signed.
CREATE SCHEMA IF NOT EXISTS signer;
CREATE TABLE IF NOT EXISTS signer.signed_head (
    origin text PRIMARY KEY,
    size   bigint NOT NULL,
    root   bytea NOT NULL CHECK (octet_length(root) = 32)
);
