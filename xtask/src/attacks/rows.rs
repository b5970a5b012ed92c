//! The list: a row that is played names its tests, one that is not says what it waits for. A new row, or one that waits no
//! more, is one entry here; `docs/attacks.md` follows by `cargo xtask docs`, `docs/threat-model.md` by hand.

use super::{Row, played, test, waits};

const ACCOUNTS: &str = "tests/tests/attacks/accounts.rs";
const ACCOUNT_CONCURRENCY: &str = "tests/tests/account/concurrency.rs";
const ACCOUNT_RECOVERY: &str = "tests/tests/account/recovery.rs";
const ACCOUNT_REPLACEMENT: &str = "tests/tests/account/replacement.rs";
const ANSWERS: &str = "tests/tests/attacks/answers.rs";
const COLLEAGUES: &str = "tests/tests/attacks/colleagues.rs";
const CONTENT: &str = "tests/tests/attacks/content.rs";
const CORE_FORK_TESTS: &str = "crypto-core/src/fork/tests.rs";
const CORE_KEM: &str = "crypto-core/src/kem.rs";
const CORE_PASSWORD_TESTS: &str = "crypto-core/src/password/tests.rs";
const CORE_SHARE_TESTS: &str = "crypto-core/src/share/tests.rs";
const CORE_SIGN: &str = "crypto-core/src/sign.rs";
const FORKS: &str = "tests/tests/attacks/forks.rs";
const INVITES: &str = "tests/tests/attacks/invites.rs";
const KEYS: &str = "tests/tests/attacks/keys.rs";
const LEAKAGE: &str = "tests/tests/attacks/leakage.rs";
const MEMBERSHIPS: &str = "tests/tests/attacks/memberships.rs";
const PAIRS: &str = "tests/tests/attacks/pairs.rs";
const PLANTED: &str = "tests/tests/attacks/planted.rs";
const PROCESS_ATTACKS: &str = "cli/tests/process/attacks.rs";
const PROCESS_RESUME: &str = "cli/tests/process/resume.rs";
const ROTATION: &str = "tests/tests/attacks/rotation.rs";
const SERVER_BATCH: &str = "tests/tests/server/batch.rs";
const SERVER_BODIES: &str = "tests/tests/server/bodies.rs";
const SERVER_CREDENTIAL: &str = "tests/tests/server/credential.rs";
const SERVER_LIMITS: &str = "tests/tests/server/limits.rs";
const SERVER_MATRIX: &str = "tests/tests/server/matrix.rs";
const SERVER_REVOCATION: &str = "tests/tests/server/revocation.rs";
const SERVER_SESSIONS: &str = "tests/tests/server/sessions.rs";
const SERVER_SHARES: &str = "tests/tests/server/shares.rs";
const SHARING: &str = "tests/tests/attacks/sharing.rs";
const SIGN_IN: &str = "tests/tests/attacks/sign_in.rs";
const STATEMENTS: &str = "tests/tests/attacks/statements.rs";
const UNATTENDED: &str = "tests/tests/attacks/unattended.rs";
const VERSIONS: &str = "tests/tests/attacks/versions.rs";

/// Every row, in the order of their ids.
pub const ROWS: &[Row] = &[
    played(
        "A01",
        "another key is returned for the recipient",
        &[test(KEYS, "a01_an_attackers_key_for_the_recipient_is_not_used")],
    ),
    played(
        "A02",
        "new keys are made for a contact without their consent",
        &[
            test(MEMBERSHIPS, "a02_new_keys_without_the_old_ones_consent_are_nobodys"),
            test(ROTATION, "a02_new_keys_need_a_rotate_by_the_old_ones"),
        ],
    ),
    played(
        "A03",
        "one key is shown when people compare, another is served at the wrap",
        &[test(KEYS, "a03_the_keys_that_were_compared_are_the_keys_that_are_used")],
    ),
    played(
        "A04",
        "a certified member's keys are served as another's",
        &[test(KEYS, "a04_a56_an_address_leads_to_certified_people_only")],
    ),
    played(
        "A05",
        "the user's own public key is replaced",
        &[
            test(KEYS, "a05_ones_own_keys_are_never_the_servers_to_say"),
            test(SIGN_IN, "a05_nobody_is_certified_in_ones_place"),
        ],
    ),
    played(
        "A06",
        "the sealed seed is changed, spliced or swapped",
        &[test(ACCOUNTS, "a06_a07_a65_every_changed_envelope_gives_the_same_error_and_the_same_silence")],
    ),
    played(
        "A07",
        "changed envelopes as an oracle: what does the client ask next?",
        &[test(ACCOUNTS, "a06_a07_a65_every_changed_envelope_gives_the_same_error_and_the_same_silence")],
    ),
    played(
        "A08",
        "weak parameters for stretching the password",
        &[test(ACCOUNTS, "a08_a11_a12_a13_what_a_server_would_like_clients_to_do_they_do_not")],
    ),
    played(
        "A09",
        "ruinous parameters for stretching the password; work for the server",
        &[
            test(SIGN_IN, "a09_what_stretching_costs_is_not_the_servers_to_say"),
            test(SIGN_IN, "a09_no_client_makes_the_server_work_hard"),
        ],
    ),
    played("A10", "another suite is named", &[test(KEYS, "a10_another_suite_is_not_supported")]),
    played(
        "A11",
        "a policy for clients is sent",
        &[test(ACCOUNTS, "a08_a11_a12_a13_what_a_server_would_like_clients_to_do_they_do_not")],
    ),
    played(
        "A12",
        "an organisation's recovery key is pushed",
        &[test(ACCOUNTS, "a08_a11_a12_a13_what_a_server_would_like_clients_to_do_they_do_not")],
    ),
    played(
        "A13",
        "\"your account was reset, set up new keys\"",
        &[test(ACCOUNTS, "a08_a11_a12_a13_what_a_server_would_like_clients_to_do_they_do_not")],
    ),
    played(
        "A14",
        "record and envelope from before a change of the password, or of the keys, are restored",
        &[
            test(ACCOUNT_RECOVERY, "another_device_goes_on_by_its_key_and_learns_of_the_change"),
            test(ACCOUNTS, "a14_an_old_password_does_not_come_back_under_the_new_credential"),
            test(ROTATION, "a14_new_keys_that_were_taken_are_in_the_log_or_not_used"),
            test(ROTATION, "a14_a64_what_rested_on_the_old_keys_does_not_come_back"),
        ],
    ),
    played(
        "A15",
        "passwords are guessed offline, with the database and the OPRF seed, against an account key",
        &[test(CORE_PASSWORD_TESTS, "the_password_is_bound_to_the_account_key_and_normalised")],
    ),
    played(
        "A16",
        "passwords are guessed online, by sign-ins that are never finished",
        &[test(SERVER_SESSIONS, "too_many_attempts_have_to_wait_whether_the_address_is_known_or_not")],
    ),
    played(
        "A18",
        "the invitee's keys are substituted in ACCEPT",
        &[test(INVITES, "a18_an_acceptance_with_other_keys_is_not_certified")],
    ),
    played(
        "A19",
        "inviter, role or address are substituted in OFFER",
        &[test(INVITES, "a19_an_offer_that_the_inviter_did_not_make_is_refused")],
    ),
    played(
        "A20",
        "an invite is replayed, accepted twice or too late",
        &[test(INVITES, "a20_a_code_works_once")],
    ),
    played("A21", "invite codes are guessed offline", &[test(INVITES, "a21_a_shorter_code_is_no_code")]),
    played(
        "A22",
        "parts are reordered, doubled, spliced",
        &[test(CONTENT, "a22_parts_that_changed_places_or_files_are_noticed")],
    ),
    played(
        "A23",
        "a file is cut, or goes on",
        &[test(CONTENT, "a23_a_file_that_was_cut_or_made_longer_is_noticed")],
    ),
    played(
        "A24",
        "ciphertext is changed, anywhere",
        &[test(CONTENT, "a24_a_bit_flipped_anywhere_is_noticed")],
    ),
    played(
        "A25",
        "only the last chunk is damaged",
        &[test(CONTENT, "a25_a_damaged_last_chunk_leaves_no_file")],
    ),
    played(
        "A26",
        "another file is served under an id",
        &[test(CONTENT, "a26_another_file_under_this_id_is_noticed")],
    ),
    played(
        "A27",
        "names and metadata are swapped between files",
        &[test(CONTENT, "a27_another_files_name_is_noticed")],
    ),
    played(
        "A28",
        "a file is planted in a colleague's name",
        &[
            test(SHARING, "a28_a_file_planted_in_a_colleagues_name_is_not_listed"),
            test(COLLEAGUES, "a28_a_colleagues_files_and_receipts_are_not_shown_among_ones_own"),
        ],
    ),
    played(
        "A29",
        "an owner makes one ciphertext that opens to two plaintexts",
        &[test(CORE_SHARE_TESTS, "an_owner_who_wraps_another_key_is_found_out")],
    ),
    played(
        "A30",
        "an older signed version is served",
        &[
            test(VERSIONS, "a30_an_older_signed_version_is_a_rollback"),
            test(VERSIONS, "a30_a_second_file_under_a_version_that_was_seen_is_a_conflict"),
            test(VERSIONS, "a30_a_newer_version_that_does_not_follow_is_none"),
        ],
    ),
    played(
        "A31",
        "different histories are shown to two devices or people",
        &[
            test(FORKS, "a31_two_devices_are_shown_different_histories"),
            test(FORKS, "a31_the_other_history_has_grown_meanwhile"),
            test(FORKS, "a31_what_one_person_signed_shows_another_the_fork"),
            test(FORKS, "a31_newer_history_is_withheld"),
            test(FORKS, "a31_newer_history_is_withheld_from_who_signed_under_it"),
            test(FORKS, "a31_no_device_is_shown_an_older_log_than_its_owner_has_pinned"),
            test(FORKS, "a31_keys_that_have_ended_are_shown_to_no_device_of_who_knows"),
            test(FORKS, "a31_what_another_process_of_the_device_has_seen_is_kept"),
            test(FORKS, "a31_what_one_device_has_pinned_shows_another_the_fork"),
        ],
    ),
    played(
        "A32",
        "a share is left out, an ended one brought back",
        &[
            test(PAIRS, "a32_a_share_left_out_is_a_gap_with_its_number"),
            test(PAIRS, "a32_what_was_ended_does_not_come_back"),
            test(PAIRS, "a32_a_fresh_device_is_shown_no_less_than_another_one_has_seen"),
            test(PAIRS, "a32_a_sender_who_signs_two_histories_is_found_out_on_a_fresh_device"),
        ],
    ),
    played(
        "A33",
        "the owner's signature is replaced by another member's",
        &[test(SHARING, "a33_a58_a_clients_signature_is_no_ops_members")],
    ),
    played(
        "A34",
        "a file is passed on as if it came from its owner",
        &[test(SHARING, "a34_somebody_elses_share_is_not_mine")],
    ),
    played(
        "A35",
        "a wrapped key is moved to another file, version, organisation",
        &[test(SHARING, "a35_a_wrapped_key_fits_no_other_share")],
    ),
    played(
        "A36",
        "the post-quantum half is taken away",
        &[test(SHARING, "a36_a_wrap_without_its_post_quantum_half_is_refused")],
    ),
    played(
        "A37",
        "keys and points of small order, unreduced or non-canonical",
        &[
            test(CORE_KEM, "x25519_halves_of_small_order_are_refused"),
            test(CORE_KEM, "unreduced_ml_kem_coefficients_are_refused"),
            test(CORE_SIGN, "small_order_and_non_canonical_points_are_refused"),
        ],
    ),
    played("A38", "one encapsulation is used twice", &[test(CORE_KEM, "no_two_wraps_are_alike")]),
    played(
        "A39",
        "a signature is presented as one of another type",
        &[test(SHARING, "a39_a_signature_counts_for_its_own_type_only")],
    ),
    played("A40", "records in odd encodings", &[test(SHARING, "a40_a_record_has_one_encoding")]),
    played("A41", "absurd sizes and counts", &[test(LEAKAGE, "a41_absurd_sizes_and_counts_are_refused")]),
    waits("A42", "a key is learnt from a link", "links"),
    waits("A43", "a link's password is enforced by the server only", "links"),
    waits("A45", "script in file names or previewed files", "a page"),
    played(
        "A46",
        "names lead out of the folder, or act on a terminal",
        &[test(LEAKAGE, "a46_no_name_leads_out_of_the_folder")],
    ),
    played(
        "A47",
        "compression or deduplication tell what was sent",
        &[test(LEAKAGE, "a47_the_same_file_twice_is_unrelated_ciphertext")],
    ),
    played(
        "A48",
        "the exact length tells what was sent",
        &[test(LEAKAGE, "a48_only_padded_sizes_are_on_the_wire")],
    ),
    played(
        "A49",
        "who has an account?",
        &[test(SERVER_SESSIONS, "a_stranger_cannot_tell_who_has_an_account")],
    ),
    played("A50", "who is in the organisation?", &[test(LEAKAGE, "a50_a_client_learns_nobody_elses_name")]),
    played(
        "A51",
        "access tokens are forged",
        &[
            test(SERVER_SESSIONS, "forged_access_tokens_open_nothing"),
            test(SERVER_SESSIONS, "a_token_of_one_server_is_worthless_at_another"),
        ],
    ),
    played(
        "A52",
        "objects of others are asked for, on every route, in every role",
        &[test(SERVER_MATRIX, "every_route_lets_in_exactly_whom_it_should")],
    ),
    waits("A53", "a quota is raced", "quotas"),
    played(
        "A54",
        "bodies that are bombs, endless, slow, or of a wrong length",
        &[
            test(SERVER_BODIES, "a_json_body_without_end_is_cut_off_at_the_limit"),
            test(SERVER_BODIES, "a_body_that_never_comes_is_given_up"),
            test(SERVER_BODIES, "json_routes_take_nothing_but_json"),
            test(SERVER_BATCH, "room_for_large_bodies_is_given_back"),
            test(SERVER_LIMITS, "json_bodies"),
        ],
    ),
    played(
        "A55",
        "tokens are used after sign-out, revocation, rotation",
        &[
            test(SERVER_SESSIONS, "logging_out_ends_the_session_at_once"),
            test(SERVER_SESSIONS, "refresh_tokens_rotate_forgive_a_lost_answer_and_betray_a_thief"),
            test(SERVER_REVOCATION, "with_the_entry_every_token_of_the_member_is_worth_nothing"),
        ],
    ),
    played(
        "A56",
        "an address is mapped to another certified member",
        &[test(KEYS, "a04_a56_an_address_leads_to_certified_people_only")],
    ),
    played(
        "A57",
        "an invented organisation is shown",
        &[test(KEYS, "a57_an_invented_organisation_is_not_ones_own")],
    ),
    played(
        "A58",
        "a certified client signs manifest and share",
        &[test(SHARING, "a33_a58_a_clients_signature_is_no_ops_members")],
    ),
    played(
        "A59",
        "an invitee is shown the log from before a revocation",
        &[
            test(COLLEAGUES, "a59_a_log_from_before_the_revocation_is_too_old_for_a_later_offer"),
            test(COLLEAGUES, "a59_whoever_was_shown_another_history_finds_out_from_the_first_honest_record"),
        ],
    ),
    played(
        "A60",
        "a recipient forges a part for another one's ranged read",
        &[test(CONTENT, "a60_a_part_that_another_recipient_forged_is_noticed")],
    ),
    played(
        "A61",
        "the source changes between two tries of an upload",
        &[test(PROCESS_RESUME, "a_changed_source_begins_a_new_file")],
    ),
    played(
        "A62",
        "records are backdated under a revoked or rotated key",
        &[
            test(COLLEAGUES, "a62_what_is_backdated_after_leaving_is_refused_or_marked"),
            test(COLLEAGUES, "a62_records_beyond_the_last_valid_size_do_not_count"),
            test(COLLEAGUES, "a62_nothing_under_compromised_keys_counts_and_it_is_not_hidden"),
            test(ROTATION, "a62_what_rotated_keys_sign_is_backdated"),
        ],
    ),
    played(
        "A63",
        "a challenge, a login or a recovery is relayed from another server or account",
        &[
            test(SIGN_IN, "a63_a_challenge_of_another_server_is_not_answered"),
            test(SIGN_IN, "a63_a_password_is_proved_to_its_own_organisation_only"),
            test(SIGN_IN, "a63_a_recovery_is_answered_with_ones_own_account_only"),
            test(SIGN_IN, "a63_a_key_signs_in_to_the_address_that_was_certified"),
        ],
    ),
    played(
        "A64",
        "an old vault is served, a broken one, or none",
        &[
            test(ACCOUNTS, "a64_an_older_vault_or_none_is_never_a_fresh_start"),
            test(ACCOUNTS, "a64_a_vault_of_another_branch_is_not_gone_on_with"),
            test(ROTATION, "a14_a64_what_rested_on_the_old_keys_does_not_come_back"),
        ],
    ),
    played(
        "A65",
        "the account-key flag is turned off",
        &[test(ACCOUNTS, "a06_a07_a65_every_changed_envelope_gives_the_same_error_and_the_same_silence")],
    ),
    played(
        "A66",
        "devices race for one place",
        &[
            test(PAIRS, "a66_an_unshare_that_was_first_cancels_the_share"),
            test(PAIRS, "a66_what_another_device_has_shared_and_ended_meanwhile_is_no_lie"),
            test(PAIRS, "a66_another_device_may_sign_under_a_newer_log_meanwhile"),
            test(PAIRS, "a66_a_place_is_lost_again_while_the_winner_of_the_last_one_is_looked_at"),
            test(PAIRS, "a66_two_devices_that_race_for_a_place_both_arrive"),
            test(ACCOUNT_CONCURRENCY, "more_than_fifty_writers_end_well"),
            test(SERVER_SESSIONS, "racing_refreshes_of_one_session_all_succeed"),
        ],
    ),
    played(
        "A67",
        "an invite is opened by a mail scanner, or used by an eavesdropper first",
        &[
            test(INVITES, "a67_an_invite_to_become_ops_never_certifies_by_itself"),
            test(INVITES, "a67_looking_at_an_invite_uses_nothing_up"),
        ],
    ),
    played(
        "A68",
        "a download limit is burnt by retries, or evaded by ranges",
        &[
            test(SERVER_SHARES, "any_range_is_served_exactly"),
            test(SERVER_SHARES, "a_hundred_racing_downloads_never_exceed_the_limit"),
        ],
    ),
    played(
        "A69",
        "a member invents a log head, to frame the server or a colleague",
        &[
            test(FORKS, "a69_a_head_that_the_server_never_signed_accuses_nobody"),
            test(MEMBERSHIPS, "a69_an_invented_log_state_frames_nobody"),
            test(CORE_FORK_TESTS, "a_server_that_signed_one_history_is_not_accused"),
        ],
    ),
    played(
        "A70",
        "a replacement is used to get somebody's live shares",
        &[
            test(ACCOUNT_REPLACEMENT, "a_lost_account_is_replaced_once_both_have_read_the_same_words"),
            test(ACCOUNT_REPLACEMENT, "shares_come_back_by_the_owners_wish_on_what_is_left_of_their_terms"),
        ],
    ),
    played(
        "A71",
        "a stolen token is used to change a password",
        &[test(SERVER_CREDENTIAL, "a_stolen_session_changes_no_password")],
    ),
    played(
        "A72",
        "an Ops member is relabelled",
        &[test(KEYS, "a72_an_ops_members_name_is_what_was_certified")],
    ),
    played(
        "A80",
        "somebody whom nobody has invited is called pending",
        &[test(SHARING, "a80_nobody_is_queued_for_by_the_servers_word")],
    ),
    played(
        "A81",
        "a file that rotated keys signed is planted among the owner's own",
        &[test(PLANTED, "a81_a_file_is_planted_among_ones_own")],
    ),
    played(
        "A82",
        "what rotated keys shared is kept back until the owner's new keys would vouch for it",
        &[
            test(PLANTED, "a82_what_the_thief_shared_turns_up_while_the_owner_shares_anew"),
            test(PLANTED, "a82_and_later_still_nothing_is_signed_on_top_of_it"),
        ],
    ),
    played(
        "A83",
        "two versions are mixed, half of a rekey is called the whole, an ended share is listed as running",
        &[
            test(VERSIONS, "a83_two_versions_do_not_mix"),
            test(VERSIONS, "a83_a_half_or_nothing_that_is_called_done_is_noticed"),
            test(VERSIONS, "a83_what_was_ended_gets_no_key_of_the_new_version"),
            test(VERSIONS, "a83_a_new_share_that_is_withheld_is_a_gap_once_another_comes"),
        ],
    ),
    played(
        "A84",
        "what became of one item is told as another's; \"done\" for what was dropped; \"shared already\" for what was not",
        &[
            test(ANSWERS, "a84_one_items_fate_is_not_told_as_anothers"),
            test(ANSWERS, "a84_what_is_called_done_and_was_dropped_is_found_out"),
            test(ANSWERS, "a84_one_share_that_is_called_made_and_was_dropped_is_found_out"),
            test(ANSWERS, "a84_what_is_called_shared_already_is_in_our_own_records_or_not_believed"),
        ],
    ),
    played(
        "A85",
        "another user of the machine, or the server, steers what an interrupted download left",
        &[
            test(ANSWERS, "a85_what_an_interrupted_download_left_is_not_steered"),
            test(PROCESS_ATTACKS, "a85_a_file_that_somebody_else_put_there_gets_nothing"),
        ],
    ),
    played(
        "A86",
        "an upload is called complete that never arrived",
        &[
            test(ANSWERS, "a86_an_upload_that_never_arrived_is_not_called_complete"),
            test(ANSWERS, "a86_files_that_are_called_stored_and_were_dropped_are_found_out"),
            test(PROCESS_ATTACKS, "a86_the_program_does_not_say_uploaded_because_the_server_does"),
        ],
    ),
    played(
        "A87",
        "a session is renewed with another account's tokens",
        &[test(SIGN_IN, "a87_another_accounts_session_gives_and_takes_nothing")],
    ),
    played(
        "A88",
        "answers that lead elsewhere, swell, tell to wait, or speak in the client's own codes",
        &[
            test(ANSWERS, "a88_no_token_follows_an_answer_elsewhere"),
            test(ANSWERS, "a88_answers_do_not_swell"),
            test(ANSWERS, "a88_nobody_waits_because_a_server_says_so"),
            test(ANSWERS, "a88_a_code_of_the_servers_is_not_a_finding_of_ours"),
        ],
    ),
    played(
        "A89",
        "a queued share is held back until its recipient was replaced, or dropped by the server's word",
        &[
            test(UNATTENDED, "a89_a_queued_share_that_is_held_back_never_reaches_who_came_after"),
            test(UNATTENDED, "a89_a_queued_share_is_not_dropped_by_the_servers_word"),
        ],
    ),
    played(
        "A90",
        "a checkpoint key of the server's own choice",
        &[
            test(STATEMENTS, "a90_a_checkpoint_key_that_no_ops_member_signed_for_is_not_the_servers"),
            test(STATEMENTS, "a90_the_words_are_of_the_key_that_is_signed"),
            test(PROCESS_ATTACKS, "a90_another_key_for_checkpoints_shows_other_words"),
        ],
    ),
    played(
        "A91",
        "a file is called withdrawn by who may not withdraw it",
        &[
            test(STATEMENTS, "a91_a_file_is_out_of_circulation_by_an_ops_members_word_only"),
            test(PROCESS_ATTACKS, "a91_what_a_client_calls_withdrawn_is_withdrawn_all_the_same"),
        ],
    ),
    played(
        "A92",
        "texts of the server or a sender act on a terminal",
        &[
            test(PROCESS_ATTACKS, "a92_nothing_that_a_server_says_acts_on_a_terminal"),
            test(PROCESS_ATTACKS, "a92_nothing_that_a_sender_says_acts_on_a_terminal"),
        ],
    ),
    played(
        "A93",
        "an invitee answers wrongly, to keep all others out",
        &[
            test(UNATTENDED, "a93_an_invitee_who_answers_wrongly_keeps_nobody_else_out"),
            test(PROCESS_ATTACKS, "a93_watch_goes_on_when_an_invitee_answers_wrongly"),
        ],
    ),
    played(
        "A94",
        "the session of a device is kept alive when another one has changed the account's keys",
        &[test(ROTATION, "a94_a_device_whose_session_outlives_its_keys_does_nothing_with_them")],
    ),
];
