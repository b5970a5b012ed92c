//! Signing in with the account's key instead of a password (protocol §9): for scripts that hold the seed.

use crate::{
    account::Account,
    error::failures,
    id::Digest,
    log::{AuthorError, Log},
    record::{RawRecord, RecordError, Signed},
    records::Login,
};

/// How far the signer's clock may be from the server's, seconds.
pub const MAX_CLOCK_SKEW: u64 = 300;

failures! {
    /// Why a login record was refused.
    #[derive(Copy)]
    LoginError {
        /// Not the server's nonce: a replay, or a challenge of another server.
        Nonce = "login_nonce", "the login does not answer the server's challenge";
        /// More than [`MAX_CLOCK_SKEW`] away.
        Time = "login_time", "the login's time is too far from the server's";
        /// The membership ended, or the keys were rotated.
        NotCurrent = "login_not_current", "the login is not signed under current keys of an active member";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
    }
}

/// Answers the server's `nonce` at `time` (UTC seconds).
pub fn sign(account: &Account, nonce: Digest, time: u64) -> Result<Signed<Login>, RecordError> {
    let record = Login {
        org_id: account.org_id(),
        signer: account.user_id(),
        signer_bundle: account.bundle().id(),
        nonce,
        time,
    };
    Signed::sign(record, &account.keys().signing)
}

/// The server's check: an active member under current keys, this server's organisation, its nonce, and `now`.
pub fn verify(raw: RawRecord, log: &Log, nonce: Digest, now: u64) -> Result<Signed<Login>, LoginError> {
    let login = log.verify_authored::<Login>(raw)?;
    let current = log.active(login.signer).map(|active| active.bundle().id());
    if current != Some(login.signer_bundle) {
        return Err(LoginError::NotCurrent);
    }
    if login.nonce != nonce {
        return Err(LoginError::Nonce);
    }
    if login.time.abs_diff(now) > MAX_CLOCK_SKEW {
        return Err(LoginError::Time);
    }
    Ok(login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::testing::Organisation,
        records::{RevokeReason, Role},
    };

    #[test]
    fn a_login_counts_once_here_and_now() {
        let mut organisation = Organisation::new();
        let bob = organisation.admit(Role::Client);
        let nonce = Digest::random();
        let raw = sign(&bob, nonce, 1_000).unwrap().into_raw();
        let check = |log: &Log, nonce, now| verify(raw.clone(), log, nonce, now).map(|login| login.signer);
        for now in [700, 1_000, 1_300] {
            assert_eq!(check(&organisation.log, nonce, now), Ok(bob.user_id()));
        }
        for now in [699, 1_301] {
            assert_eq!(check(&organisation.log, nonce, now), Err(LoginError::Time));
        }
        assert_eq!(check(&organisation.log, Digest::random(), 1_000), Err(LoginError::Nonce));
        assert_eq!(
            check(&Organisation::new().log, nonce, 1_000),
            Err(AuthorError::ForeignOrganisation.into()),
            "relayed from another server"
        );
        let next = organisation.rotate(&bob);
        assert_eq!(check(&organisation.log, nonce, 1_000), Err(LoginError::NotCurrent));
        organisation.revoke(&next, RevokeReason::Left);
        let raw = sign(&next, nonce, 1_000).unwrap().into_raw();
        assert_eq!(verify(raw, &organisation.log, nonce, 1_000).unwrap_err(), LoginError::NotCurrent);
    }
}
