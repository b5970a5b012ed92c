-- The seed of a key that the operator made to sign checkpoints from some day on: the `service` entry that names it puts
-- it in place of `checkpoint_seed`.
ALTER TABLE server ADD COLUMN next_checkpoint_seed BYTEA;
-- After a restore from backup: the size of a log that this server has signed once and does not have. While it is set,
-- nothing is appended; when the operator confirms, it becomes `confirmed_size`, up to which missing entries are known.
ALTER TABLE server ADD COLUMN missing_size BIGINT;
ALTER TABLE server ADD COLUMN confirmed_size BIGINT;

-- Files of former members that an Ops member took out of circulation: their versions are in state 5, and keep their blobs.
CREATE TABLE withdrawals (
    file_id BYTEA PRIMARY KEY REFERENCES files (file_id),
    record_id BYTEA NOT NULL UNIQUE,
    record TEXT NOT NULL,
    withdrawn_at BIGINT NOT NULL
);
