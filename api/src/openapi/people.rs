//! Sessions, accounts, the organisation's log, invites.

use super::operation::{Group, Operation};
use crate::{
    account::{
        AccountView, ChangeCredential, CredentialRegister, MemberSummary, MemberView, RotateAccount,
        VaultBlob,
    },
    auth::{
        KeyChallenge, KeyChallengeRequest, KeyLogin, LoginChallenge, LoginFinish, LoginStart, Refresh,
        RegisterChallenge, Session, Tokens,
    },
    file::LeftFileView,
    invite::{AcceptInvite, CreateInvite, InviteQuery, InviteRegister, InviteView},
    limits::MAX_VAULT_BODY,
    log::{AppendLog, LogAppended, LogPage, LogQuery, LogSeen},
    paging::PageQuery,
    problem::ErrorCode::{
        AccountEnded, AccountRotated, AlreadyMember, CredentialChanged, IdTaken, InviteCancelled,
        InviteExpired, InviteReplaced, InviteUsed, LimitReached, LogConflict, LogUnknown, LoginFailed,
        NotSignedIn, RecordInvalid, ReplacesUnknown, RestoreUnconfirmed, TooManyAttempts, VaultConflict,
    },
    routes,
};

pub(super) fn sessions() -> Group {
    Group {
        name: "Sessions",
        about: "Signing in by password (OPAQUE) or by the account's key (protocol §9), and staying so.",
        operations: vec![
            Operation::of(routes::LOGIN)
                .about("The answer has the same shape and size whether or not anybody has the address.")
                .takes::<LoginStart>()
                .gives::<LoginChallenge>(200, "OPAQUE's KE2.")
                .again("Begins another sign-in, which counts as another attempt until one succeeds.")
                .fails(&[TooManyAttempts])
                .needs_organisation(),
            Operation::of(routes::LOGIN_FINISH)
                .takes::<LoginFinish>()
                .gives::<Session>(200, "Signed in.")
                .again("Fails: each sign-in has one try. Begin another one.")
                .fails(&[LoginFailed, AccountEnded])
                .needs_organisation(),
            Operation::of(routes::KEY_CHALLENGE)
                .about("The answer has the same shape whether or not anybody has the key. Nothing is stored.")
                .takes::<KeyChallengeRequest>()
                .gives::<KeyChallenge>(200, "A nonce to sign, and what the `login` record must name.")
                .again("Gives another nonce.")
                .needs_organisation(),
            Operation::of(routes::KEY_LOGIN)
                .takes::<KeyLogin>()
                .gives::<Session>(200, "Signed in.")
                .again("Fails: a nonce is good once. Ask for another one.")
                .fails(&[LoginFailed, AccountEnded, AccountRotated])
                .needs_organisation(),
            Operation::of(routes::REFRESH)
                .about(
                    "The refresh token is replaced at each use. One that was replaced longer ago than the grace ends the \
                     session, because then somebody else has it too.",
                )
                .takes::<Refresh>()
                .gives::<Tokens>(200, "The next tokens.")
                .again("Within 30 seconds the previous token gives the same successor again.")
                .fails(&[NotSignedIn])
                .needs_organisation(),
            Operation::of(routes::LOGOUT)
                .gives_nothing("The session has ended; neither of its tokens is worth anything.")
                .again("`not_signed_in`: there is no session any more."),
        ],
    }
}

pub(super) fn account() -> Group {
    Group {
        name: "Account",
        about: "One's own account, its password and its vault, and who else is in the organisation.",
        operations: vec![
            Operation::of(routes::ACCOUNT).gives::<AccountView>(200, "The account."),
            Operation::of(routes::CREDENTIAL_CHALLENGE)
                .takes::<CredentialRegister>()
                .gives::<RegisterChallenge>(200, "OPAQUE's answer, and the nonce that the new credential must sign.")
                .again("Gives another nonce; each is good for one hour."),
            Operation::of(routes::PUT_CREDENTIAL)
                .about("A session alone is not enough: the account's key signs the change. Every other session ends.")
                .takes::<ChangeCredential>()
                .gives_nothing("The new password counts.")
                .again("The same change is answered as if it were made now.")
                .fails(&[CredentialChanged, RecordInvalid]),
            Operation::of(routes::ROTATE)
                .about(
                    "Log entry, bundle, credential, OPAQUE record, envelope and vault change together or not at all. Every other \
                     session ends, and open invites are cancelled.",
                )
                .takes_up_to::<RotateAccount>(MAX_VAULT_BODY)
                .gives::<LogAppended>(200, "The new keys count.")
                .again("The same entry with the same credential gives the newest checkpoint.")
                .fails(&[LogConflict, VaultConflict, CredentialChanged, RecordInvalid, RestoreUnconfirmed]),
            Operation::of(routes::VAULT).gives::<VaultBlob>(200, "The vault."),
            Operation::of(routes::PUT_VAULT)
                .takes_up_to::<VaultBlob>(MAX_VAULT_BODY)
                .gives_nothing("Stored.")
                .again("The same vault is answered as if it were stored now.")
                .fails(&[VaultConflict]),
            Operation::of(routes::MEMBERS)
                .about("Ops members see everybody; Clients and invitees see the Ops members. By user id.")
                .query::<PageQuery>()
                .gives_page_of::<MemberView>("People, with what opens their subjects in the log."),
            Operation::of(routes::MEMBER)
                .about("For whoever is about to end a membership. People unknown give zeros, so that nobody can ask who exists.")
                .gives::<MemberSummary>(200, "Counts."),
            Operation::of(routes::LEFT_FILES)
                .about("Newest first, without names and keys. Empty while the person is a member.")
                .query::<PageQuery>()
                .gives_page_of::<LeftFileView>("Files."),
        ],
    }
}

pub(super) fn log() -> Group {
    Group {
        name: "Log",
        about: "The organisation's log (protocol §5): who belongs to it, with which keys. Clients verify every entry.",
        operations: vec![
            Operation::of(routes::LOG)
                .about("The checkpoint's size tells whether there is more: ask again from the next sequence.")
                .query::<LogQuery>()
                .gives::<LogPage>(200, "Entries, and the newest checkpoint over the whole log."),
            Operation::of(routes::APPEND_LOG)
                .about(
                    "Takes `certify` of people who have accepted an invite, `revoke`, and `service` for the checkpoint key that \
                     the server offers. What follows from an entry happens with it: `revoke` ends the member's sessions, \
                     shares, invites and uploads.",
                )
                .takes::<AppendLog>()
                .gives::<LogAppended>(200, "The entry is in the log.")
                .again("The same entry gives the newest checkpoint.")
                .fails(&[LogConflict, RecordInvalid, RestoreUnconfirmed]),
            Operation::of(routes::LOG_SEEN)
                .about(
                    "For a client that is shown a shorter log than it has seen. If this server signed the checkpoint, its database \
                     was restored from a backup, and it appends nothing until its operator confirms.",
                )
                .takes::<LogSeen>()
                .gives_nothing("Noted; or nothing new, because the server has all that the checkpoint covers.")
                .again("Changes nothing more.")
                .fails(&[RecordInvalid]),
        ],
    }
}

pub(super) fn invites() -> Group {
    Group {
        name: "Invites",
        about: "How people come in (protocol §6). The code that the inviter hands over in person never reaches the server.",
        operations: vec![
            Operation::of(routes::CREATE_INVITE)
                .about("An open invite to the same person is replaced.")
                .takes::<CreateInvite>()
                .gives::<InviteView>(200, "The invite is open.")
                .again("The same OFFER gives the invite as it stands now.")
                .fails(&[
                    IdTaken, AlreadyMember, RecordInvalid, LogUnknown, ReplacesUnknown, LimitReached,
                ]),
            Operation::of(routes::INVITES)
                .about("Every Ops member's, newest first.")
                .query::<InviteQuery>()
                .gives_page_of::<InviteView>("Invites."),
            Operation::of(routes::INVITE)
                .about("In whatever state it is.")
                .gives::<InviteView>(200, "The invite that the token belongs to."),
            Operation::of(routes::INVITE_REGISTER)
                .about("Changes nothing about the invite.")
                .takes::<InviteRegister>()
                .gives::<RegisterChallenge>(200, "OPAQUE's answer, and the nonce that the credential must sign.")
                .again("Gives another nonce; each is good for one hour.")
                .fails(&[InviteUsed, InviteExpired, InviteReplaced, InviteCancelled]),
            Operation::of(routes::INVITE_ACCEPT)
                .about("Uses the invite up and makes the account; it is pending until its inviter certifies it.")
                .takes_up_to::<AcceptInvite>(MAX_VAULT_BODY)
                .gives::<Session>(200, "The account exists, and is signed in.")
                .again("The same ACCEPT with the same registration gives a new session; another one is `invite_used`.")
                .fails(&[InviteUsed, InviteExpired, InviteReplaced, InviteCancelled, AlreadyMember, RecordInvalid])
                .needs_organisation(),
        ],
    }
}
