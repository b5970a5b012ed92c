//! What founding and accepting have in common: a new account's bundle, credential, envelope, vault (protocol §3).
//! The server checks all that it can without keys.

use sealpost_api::{
    account::{AccountStatus, RoleName},
    auth::Registration,
    problem::ErrorCode,
};
use sealpost_crypto::{
    bundle::VerifiedBundle,
    id::{OrgId, RecordId, UserId},
    opening::Opening,
    vault,
};
use subtle::ConstantTimeEq;

use crate::{
    credential::{CheckedCredential, Parts},
    db::{
        self, Tx,
        account::{NewAccount, Registered},
        nonce::Context,
    },
    problem::ApiError,
    state::AppState,
};

/// Whose registration is expected.
pub(crate) struct Expected<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// Who registers, under which address.
    pub opening: &'a Opening,
    /// Whether an account key is needed beside the password.
    pub account_key: bool,
}

/// A registration whose every part agrees with the others. Only [`Checked::check`] makes one.
pub(crate) struct Checked<'a> {
    opening: &'a Opening,
    registration: &'a Registration,
    bundle: VerifiedBundle,
    credential: CheckedCredential<'a>,
}

impl<'a> Checked<'a> {
    /// Checks everything that rests on no secret. Whether the nonce is one of ours is [`Checked::use_nonce`]'s to
    /// say.
    pub(crate) fn check(registration: &'a Registration, expected: &Expected<'a>) -> Result<Self, ApiError> {
        let bundle = VerifiedBundle::verify(registration.bundle.clone(), registration.bundle.id())
            .map_err(|error| ApiError::record_invalid(format!("The bundle is not valid: {error}.")))?;
        let whose = (bundle.org_id(), bundle.user_id(), bundle.generation());
        if whose != (expected.org_id, expected.opening.user_id, 1) {
            return Err(ApiError::record_invalid("The bundle is not a first one of the account expected."));
        }
        check_vault(&registration.vault.0)?;
        let parts = Parts {
            credential: &registration.credential,
            opaque_record: &registration.opaque_record.0,
            envelope: &registration.envelope.0,
        };
        let credential = CheckedCredential::check(parts, &bundle, expected.account_key, None)?;
        Ok(Self { opening: expected.opening, registration, bundle, credential })
    }

    /// H(bundle).
    pub(crate) fn bundle_id(&self) -> RecordId {
        self.bundle.id()
    }

    /// The keys.
    pub(crate) fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }

    /// Uses up the nonce that the credential answers.
    pub(crate) async fn use_nonce(
        &self,
        state: &AppState,
        tx: &mut Tx,
        context: Context,
    ) -> Result<(), ApiError> {
        self.credential.use_nonce(state, tx, context).await
    }

    /// Whether this is the very registration that an account rests on: its sender is the one who made it, because
    /// the OPAQUE record was never shown to anybody else.
    pub(crate) fn is(&self, account: &Registered) -> bool {
        account.credential_id == self.credential.credential().pin().id
            && account.bundle_id == self.bundle.id()
            && bool::from(account.opaque_record.ct_eq(self.credential.opaque_record()))
    }

    /// Stores the account and its vault.
    pub(crate) async fn store(
        &self,
        tx: &mut Tx,
        role: RoleName,
        status: AccountStatus,
        inviter: Option<UserId>,
        now: i64,
    ) -> Result<(), ApiError> {
        let account = NewAccount {
            opening: self.opening,
            role,
            status,
            bundle_id: self.bundle.id(),
            bundle: &self.registration.bundle,
            signing_key: self.bundle.signing_key(),
            opaque_record: self.credential.opaque_record(),
            credential_id: self.credential.credential().pin().id,
            credential: self.credential.credential().raw(),
            envelope: self.credential.envelope(),
            inviter,
        };
        db::account::insert(tx, &account, now).await?;
        db::vault::insert(tx, self.opening.user_id, &self.registration.vault.0).await?;
        Ok(())
    }
}

/// A name must be fit to be shown. Its length and whether it opens a subject are for the caller to check.
pub(crate) fn check_opening(opening: &Opening) -> Result<(), ApiError> {
    if opening.name.chars().any(char::is_control) {
        return Err(ApiError::malformed("A person's name has no control characters."));
    }
    Ok(())
}

/// The size a vault may have, padded and sealed.
pub(crate) fn check_vault(sealed: &[u8]) -> Result<(), ApiError> {
    if sealed.is_empty() {
        return Err(ApiError::malformed("The vault is missing."));
    }
    if sealed.len() > vault::MAX_SEALED {
        let detail = format!("A vault has at most {} bytes.", vault::MAX_SEALED);
        return Err(ApiError::new(ErrorCode::TooLarge, detail));
    }
    Ok(())
}
