//! Taking a revoked owner's file out of circulation (protocol §4, `withdraw`).

use crate::{
    error::failures,
    id::{FileId, UserId},
    log::{AuthorError, Log, OpsSigner, SignerError},
    record::{Author, RawRecord, Signed},
    records::Withdraw,
};

failures! {
    /// Why a withdrawal was refused.
    #[derive(Copy)]
    WithdrawError {
        /// Not an active Ops member under current keys.
        NotActiveOps = "withdraw_not_ops", "only an active Ops member withdraws a file";
        /// An active owner ends shares themselves.
        OwnerActive = "withdraw_owner_active", "the file's owner is still a member";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
    }
}

/// Signs the withdrawal of `file_id`.
pub fn sign(signer: &OpsSigner<'_>, file_id: FileId) -> Result<Signed<Withdraw>, SignerError> {
    let Author { org_id, signer: ops, signer_bundle } = signer.author();
    signer.sign(Withdraw { org_id, signer: ops, signer_bundle, file_id })
}

/// Verifies a withdrawal of a file of `owner`.
pub fn verify(raw: RawRecord, log: &Log, owner: UserId) -> Result<Signed<Withdraw>, WithdrawError> {
    let withdraw = log.verify_authored::<Withdraw>(raw)?;
    let current = log.active(withdraw.signer).map(|active| active.bundle().id());
    if current != Some(withdraw.signer_bundle) || !log.is_active_ops(withdraw.signer) {
        return Err(WithdrawError::NotActiveOps);
    }
    if log.active(owner).is_some() { Err(WithdrawError::OwnerActive) } else { Ok(withdraw) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::testing::Organisation,
        records::{RevokeReason, Role},
    };

    #[test]
    fn only_ops_withdraw_and_only_what_a_revoked_member_owned() {
        let mut organisation = Organisation::new();
        let owner = organisation.admit(Role::Ops);
        let client = organisation.admit(Role::Client);
        let file_id = FileId::random();
        let raw = |organisation: &Organisation| {
            let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
            sign(&signer, file_id).unwrap().into_raw()
        };
        let early = raw(&organisation);
        assert_eq!(
            verify(early.clone(), &organisation.log, owner.user_id()),
            Err(WithdrawError::OwnerActive)
        );
        organisation.revoke(&owner, RevokeReason::Left);
        assert!(verify(early, &organisation.log, owner.user_id()).is_ok());

        for by in [&client, &owner] {
            let record = Withdraw {
                org_id: by.org_id(),
                signer: by.user_id(),
                signer_bundle: by.bundle().id(),
                file_id,
            };
            let raw = Signed::sign(record, &by.keys().signing).unwrap().into_raw();
            assert_eq!(verify(raw, &organisation.log, owner.user_id()), Err(WithdrawError::NotActiveOps));
        }
    }
}
