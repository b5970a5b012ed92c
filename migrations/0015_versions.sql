-- A file that was sealed anew has a next version; the one before is in state 6 while its blobs are still to go, and in
-- state 7 once they are gone. Its records and the digests of its parts stay, as evidence of what was delivered.
-- Next versions that are being uploaded.
CREATE INDEX file_versions_next ON file_versions (file_id) WHERE state = 1 AND version > 1;
