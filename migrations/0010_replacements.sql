-- A new account waits, pending, to take the place of the active one with the same address: one live account of each
-- status an address.
DROP INDEX accounts_email;
CREATE UNIQUE INDEX accounts_email ON accounts (email, status) WHERE status < 3;
-- The active account that the invited one is to replace.
ALTER TABLE invites ADD COLUMN replaces BYTEA;
-- When the account was certified; NULL for the founder's, and where it was before this was kept.
ALTER TABLE accounts ADD COLUMN certified_at BIGINT;
