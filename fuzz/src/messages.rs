//! Messages of the REST interface, as both sides read them.

use sealpost_api::{account, auth, file, invite, log, problem};
use serde::{Serialize, de::DeserializeOwned};

use crate::patch::Input;

/// Reads, writes and reads again.
fn check<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_value(&message).unwrap();
        let again: T = serde_json::from_value(written.clone()).expect("what we write, we read");
        assert_eq!(serde_json::to_value(&again).unwrap(), written);
    }
}

macro_rules! messages {
    ($($type:ty),* $(,)?) => { const MESSAGES: &[fn(&[u8])] = &[$(check::<$type>),*]; };
}

messages!(
    account::AccountView,
    account::CredentialRegister,
    account::ChangeCredential,
    account::VaultBlob,
    account::MemberView,
    auth::ServerInfo,
    auth::FounderRegister,
    auth::RegisterChallenge,
    auth::Registration,
    auth::Found,
    auth::LoginStart,
    auth::LoginChallenge,
    auth::LoginFinish,
    auth::KeyChallengeRequest,
    auth::KeyChallenge,
    auth::KeyLogin,
    auth::Tokens,
    auth::Session,
    auth::Refresh,
    file::CreateFile,
    file::UploadView,
    file::PartDigests,
    file::CompleteFile,
    file::FileView,
    file::OwnFileView,
    file::ShareView,
    file::ShareFile,
    file::ShareResults,
    file::UnshareFile,
    file::PostReceipt,
    file::ReceiptView,
    file::PairPage,
    invite::CreateInvite,
    invite::InviteView,
    invite::AcceptanceView,
    invite::InviteRegister,
    invite::AcceptInvite,
    log::LogEntry,
    log::LogPage,
    log::AppendLog,
    log::LogAppended,
    problem::Problem,
    file::Manifests,
    file::RekeyFile,
);

/// Input: which message, then its JSON.
pub(crate) fn message(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let check = MESSAGES[usize::from(input.byte()) % MESSAGES.len()];
    check(input.rest());
}
