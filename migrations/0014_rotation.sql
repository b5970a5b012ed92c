-- Keys that their holder has rotated: whoever comes with one is told so, once they have proved to hold it.
CREATE TABLE retired_keys (
    bundle_id BYTEA PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    -- Ed25519 public key of the bundle.
    signing_key BYTEA NOT NULL,
    bundle TEXT NOT NULL
);
CREATE INDEX retired_keys_signing_key ON retired_keys (signing_key);
-- When the account's keys were last rotated; NULL for the first ones.
ALTER TABLE accounts ADD COLUMN rotated_at BIGINT;
-- H(share) that was made in this one's place because keys had been rotated. Such a share is over.
ALTER TABLE shares ADD COLUMN renewed_by BYTEA;
