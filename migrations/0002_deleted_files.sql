-- When the owner deleted it: its records stay, its blobs go. Its versions are then in state 4; while such a version has
-- parts, its blobs are still to go.
ALTER TABLE files ADD COLUMN deleted_at BIGINT;
