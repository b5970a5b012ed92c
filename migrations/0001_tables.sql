-- The same text runs on Postgres and on SQLite: BYTEA, BIGINT, TEXT, BOOLEAN only.
-- Times called `*_at` are microseconds since 1970 by the server's clock; `expiry` is UTC seconds, as records say it.
-- Signed records are kept as the JSON in which they came; their ids are SHA-256 of the signed bytes.

-- What the server itself keeps: one row.
CREATE TABLE server (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    -- 32 random bytes; tokens and answers about unknown addresses derive from it.
    secret BYTEA NOT NULL,
    -- Seed of the Ed25519 key that signs checkpoints.
    checkpoint_seed BYTEA NOT NULL,
    -- OPAQUE server setup, 128 bytes.
    opaque_setup BYTEA NOT NULL,
    -- SHA-256 of the setup token. Kept after founding, so that the founder's lost answer can be asked for again.
    setup_token_hash BYTEA,
    -- H(genesis); NULL until then.
    org_id BYTEA
);

-- status: 1 pending, 2 active, 3 revoked. role: 1 client, 2 ops (the protocol's numbers).
CREATE TABLE accounts (
    user_id BYTEA PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    salt BYTEA NOT NULL,
    role BIGINT NOT NULL,
    status BIGINT NOT NULL,
    bundle_id BYTEA NOT NULL,
    bundle TEXT NOT NULL,
    -- Ed25519 public key of the bundle: how somebody who holds only the seed finds the account.
    signing_key BYTEA NOT NULL,
    opaque_record BYTEA NOT NULL,
    credential_id BYTEA NOT NULL,
    credential TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    envelope BYTEA NOT NULL,
    -- NULL for the founder.
    inviter BYTEA,
    created_at BIGINT NOT NULL
);
-- One live account an address.
CREATE UNIQUE INDEX accounts_email ON accounts (email) WHERE status < 3;
CREATE INDEX accounts_signing_key ON accounts (signing_key);

CREATE TABLE vaults (
    user_id BYTEA PRIMARY KEY REFERENCES accounts (user_id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    previous BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);

-- A started sign-in, and the memory of a failed one: `state` is NULL once it was tried.
CREATE TABLE logins (
    login_id BYTEA PRIMARY KEY,
    -- HMAC of the address: the same for known and unknown ones.
    credential_id BYTEA NOT NULL,
    -- NULL for addresses that nobody has.
    user_id BYTEA,
    state BYTEA,
    started_at BIGINT NOT NULL
);
CREATE INDEX logins_credential ON logins (credential_id, started_at);
CREATE INDEX logins_started ON logins (started_at);

-- Nonces for credentials, single use; `context` is the organisation's or the invite's id.
CREATE TABLE registrations (
    nonce BYTEA PRIMARY KEY,
    context BYTEA NOT NULL,
    started_at BIGINT NOT NULL
);
CREATE INDEX registrations_started ON registrations (started_at);

CREATE TABLE sessions (
    session_id BYTEA PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    -- SHA-256 of the refresh token, and of the one before it.
    refresh_hash BYTEA NOT NULL,
    previous_hash BYTEA,
    rotated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE log_entries (
    sequence BIGINT PRIMARY KEY,
    entry_id BYTEA NOT NULL UNIQUE,
    record TEXT NOT NULL,
    bundle TEXT,
    checkpoint TEXT NOT NULL,
    appended_at BIGINT NOT NULL
);

-- state: 1 open, 2 accepted, 3 certified, 4 replaced. An open one past its expiry is expired.
CREATE TABLE invites (
    invite_id BYTEA PRIMARY KEY,
    token_hash BYTEA NOT NULL UNIQUE,
    offer_id BYTEA NOT NULL UNIQUE,
    inviter BYTEA NOT NULL REFERENCES accounts (user_id),
    user_id BYTEA NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    salt BYTEA NOT NULL,
    role BIGINT NOT NULL,
    offer TEXT NOT NULL,
    offer_mac BYTEA NOT NULL,
    sealed_opening BYTEA NOT NULL,
    expiry BIGINT NOT NULL,
    state BIGINT NOT NULL,
    accept_id BYTEA,
    accept TEXT,
    accept_mac BYTEA,
    bundle_id BYTEA,
    bundle TEXT,
    accepted_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX invites_created ON invites (created_at, invite_id);
CREATE INDEX invites_state ON invites (state, created_at, invite_id);
CREATE INDEX invites_inviter ON invites (inviter, state);
CREATE INDEX invites_user ON invites (user_id);
CREATE INDEX invites_email ON invites (email);

CREATE TABLE files (
    file_id BYTEA PRIMARY KEY,
    owner BYTEA NOT NULL REFERENCES accounts (user_id),
    -- The newest version that is live; NULL while there is none.
    live_version BIGINT,
    created_at BIGINT NOT NULL,
    -- When the newest version went live.
    live_at BIGINT
);
CREATE INDEX files_owner ON files (owner, live_at, file_id);

-- state: 1 uploading, 2 live, 3 abandoned, its blobs being deleted. What follows `state` is NULL while uploading.
CREATE TABLE file_versions (
    file_id BYTEA NOT NULL REFERENCES files (file_id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    state BIGINT NOT NULL,
    manifest_id BYTEA,
    manifest TEXT,
    metadata BYTEA,
    length BIGINT,
    digest BYTEA,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, version)
);
CREATE INDEX file_versions_state ON file_versions (state, updated_at);

CREATE TABLE parts (
    file_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    part_index BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    length BIGINT NOT NULL,
    -- Which attempt to upload it is the part.
    blob BYTEA NOT NULL,
    PRIMARY KEY (file_id, version, part_index),
    FOREIGN KEY (file_id, version) REFERENCES file_versions (file_id, version) ON DELETE CASCADE
);

-- The database blob store. No foreign key: to it a key is only a key.
CREATE TABLE part_bytes (
    file_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    piece BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (file_id, version, blob, piece)
);

-- Shares and unshares by pair, kept for ever. kind: 1 share, 2 unshare.
CREATE TABLE pair_records (
    record_id BYTEA PRIMARY KEY,
    sender BYTEA NOT NULL,
    recipient BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    record TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (sender, recipient, sequence)
);

CREATE TABLE shares (
    share_id BYTEA PRIMARY KEY REFERENCES pair_records (record_id),
    file_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    sender BYTEA NOT NULL,
    recipient BYTEA NOT NULL,
    enc BYTEA NOT NULL,
    ciphertext BYTEA NOT NULL,
    -- 0: never, any number.
    expiry BIGINT NOT NULL,
    download_limit BIGINT NOT NULL,
    downloads BIGINT NOT NULL,
    -- H(unshare) that ended it.
    unshare_id BYTEA,
    -- Ended, or past its terms and found to be so: off the recipient's list, and room for another.
    over BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (file_id, version) REFERENCES file_versions (file_id, version)
);
CREATE UNIQUE INDEX shares_live ON shares (file_id, recipient) WHERE NOT over;
CREATE INDEX shares_recipient ON shares (recipient, created_at, share_id) WHERE NOT over AND sender <> recipient;
CREATE INDEX shares_expiry ON shares (expiry) WHERE NOT over AND expiry > 0;
CREATE INDEX shares_file ON shares (file_id, created_at, share_id);

CREATE TABLE tickets (
    ticket_id BYTEA NOT NULL,
    share_id BYTEA NOT NULL REFERENCES shares (share_id) ON DELETE CASCADE,
    started_at BIGINT NOT NULL,
    closed BOOLEAN NOT NULL,
    PRIMARY KEY (share_id, ticket_id)
);
CREATE INDEX tickets_started ON tickets (started_at);

CREATE TABLE receipts (
    receipt_id BYTEA PRIMARY KEY,
    share_id BYTEA NOT NULL REFERENCES shares (share_id) ON DELETE CASCADE,
    file_id BYTEA NOT NULL,
    owner BYTEA NOT NULL,
    recipient BYTEA NOT NULL,
    record TEXT NOT NULL,
    received_at BIGINT NOT NULL
);
CREATE INDEX receipts_owner ON receipts (owner, received_at, receipt_id);
CREATE INDEX receipts_file ON receipts (file_id, received_at, receipt_id);
CREATE INDEX receipts_share ON receipts (share_id, received_at);
