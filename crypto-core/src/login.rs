//! Signing in with the account's key instead of a password (protocol §9): for scripts that hold the seed.

use crate::{
    account::Account,
    bundle::VerifiedBundle,
    error::failures,
    id::Digest,
    log::{AuthorError, Log},
    record::{RawRecord, RecordError, Signed},
    records::Login,
};

/// How far the signer's clock may be from the server's, seconds. Wide, because the nonce is what keeps a login from
/// being replayed: whose records a server takes, it also lets sign in.
pub const MAX_CLOCK_SKEW: u64 = 600;

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
    check(&login, nonce, now)?;
    Ok(login)
}

/// As [`verify`], for an account that registered `bundle` and is not certified yet.
pub fn verify_pending(
    raw: RawRecord,
    bundle: &VerifiedBundle,
    nonce: Digest,
    now: u64,
) -> Result<Signed<Login>, LoginError> {
    let login = Signed::<Login>::verify(raw, bundle.signing_key()).map_err(AuthorError::from)?;
    if login.org_id != bundle.org_id() {
        return Err(AuthorError::ForeignOrganisation.into());
    }
    if (login.signer, login.signer_bundle) != (bundle.user_id(), bundle.id()) {
        return Err(LoginError::NotCurrent);
    }
    check(&login, nonce, now)?;
    Ok(login)
}

fn check(login: &Login, nonce: Digest, now: u64) -> Result<(), LoginError> {
    if login.nonce != nonce {
        return Err(LoginError::Nonce);
    }
    if login.time.abs_diff(now) > MAX_CLOCK_SKEW {
        return Err(LoginError::Time);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{OrgId, UserId},
        log::testing::Organisation,
        records::{RevokeReason, Role},
        secret::AccountSeed,
    };

    #[test]
    fn a_login_counts_once_here_and_now() {
        let mut organisation = Organisation::new();
        let bob = organisation.admit(Role::Client);
        let nonce = Digest::random();
        let raw = sign(&bob, nonce, 1_000).unwrap().into_raw();
        let check = |log: &Log, nonce, now| verify(raw.clone(), log, nonce, now).map(|login| login.signer);
        for now in [400, 1_000, 1_600] {
            assert_eq!(check(&organisation.log, nonce, now), Ok(bob.user_id()));
        }
        for now in [399, 1_601] {
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

    #[test]
    fn a_pending_account_signs_in_under_the_bundle_it_registered() {
        let organisation = Organisation::new();
        let (org_id, nonce) = (organisation.log.org_id(), Digest::random());
        let account = |org_id| {
            Account::derive(&AccountSeed::from_slice(&[7; 32]).unwrap(), org_id, UserId::new([1; 16]), 1)
                .unwrap()
        };
        let pending = account(org_id);
        let raw = sign(&pending, nonce, 1_000).unwrap().into_raw();
        let check = |raw: &RawRecord, nonce, now| {
            verify_pending(raw.clone(), pending.bundle(), nonce, now).map(|login| login.signer)
        };
        assert_eq!(check(&raw, nonce, 1_600), Ok(pending.user_id()));
        assert_eq!(check(&raw, nonce, 1_601), Err(LoginError::Time));
        assert_eq!(check(&raw, Digest::random(), 1_000), Err(LoginError::Nonce));
        let foreign = sign(&account(OrgId::random()), nonce, 1_000).unwrap().into_raw();
        assert_eq!(check(&foreign, nonce, 1_000), Err(AuthorError::ForeignOrganisation.into()));
        let twin =
            Account::derive(&AccountSeed::from_slice(&[7; 32]).unwrap(), org_id, UserId::new([2; 16]), 1);
        let other = sign(&twin.unwrap(), nonce, 1_000).unwrap().into_raw();
        assert_eq!(
            check(&other, nonce, 1_000),
            Err(LoginError::NotCurrent),
            "another account of the same seed"
        );
        let eve = Account::derive(&AccountSeed::random(), org_id, pending.user_id(), 1).unwrap();
        let forged = sign(&eve, nonce, 1_000).unwrap().into_raw();
        assert_eq!(check(&forged, nonce, 1_000), Err(AuthorError::from(RecordError::BadSignature).into()));
    }
}
