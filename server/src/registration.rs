//! What founding and accepting have in common: a new account's bundle, credential, envelope, vault (protocol §3).
//! The server checks all that it can without keys.

use sealpost_api::{
    account::{AccountStatus, RoleName},
    auth::{RegisterChallenge, Registration},
    limits::{MAX_PERSON_NAME, REGISTRATION_SECONDS},
    problem::ErrorCode,
};
use sealpost_crypto::{
    bundle::VerifiedBundle,
    credential::{CredentialChange, VerifiedCredential},
    encoding::Base64,
    envelope::Envelope,
    id::{Digest, OrgId, RecordId, UserId},
    opening::Opening,
    password::{self, RegistrationRecord},
    vault,
};
use subtle::ConstantTimeEq;

use crate::{
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
    credential: VerifiedCredential,
    record: RegistrationRecord,
}

/// Answers the first message of a registration, and issues the nonce for its credential.
pub(crate) async fn challenge(
    state: &AppState,
    tx: &mut Tx,
    context: Context,
    email: &str,
    request: &Base64,
) -> Result<RegisterChallenge, ApiError> {
    let credential_id = state.keys.credential_id(email);
    let response = password::server_registration(&state.keys.opaque, &request.0, credential_id.as_bytes())
        .map_err(|_| ApiError::malformed("The OPAQUE registration request is malformed."))?;
    let nonce = Digest::random();
    db::nonce::insert(tx, nonce, context, state.clock.micros()).await?;
    Ok(RegisterChallenge { response: Base64(response.to_vec()), nonce })
}

impl<'a> Checked<'a> {
    /// Checks everything that rests on no secret. Whether the nonce is one of ours is [`Checked::use_nonce`]'s to
    /// say.
    pub(crate) fn check(registration: &'a Registration, expected: &Expected<'a>) -> Result<Self, ApiError> {
        let record = RegistrationRecord::parse(&registration.opaque_record.0)
            .map_err(|_| ApiError::malformed("The OPAQUE registration record is malformed."))?;
        let bundle = VerifiedBundle::verify(registration.bundle.clone(), registration.bundle.id())
            .map_err(|error| ApiError::record_invalid(format!("The bundle is not valid: {error}.")))?;
        let whose = (bundle.org_id(), bundle.user_id(), bundle.generation());
        if whose != (expected.org_id, expected.opening.user_id, 1) {
            return Err(ApiError::record_invalid("The bundle is not a first one of the account expected."));
        }
        check_envelope(&registration.envelope.0, expected)?;
        check_vault(&registration.vault.0)?;
        let credential = check_credential(registration, &bundle, expected.account_key)?;
        Ok(Self { opening: expected.opening, registration, bundle, credential, record })
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
        let since = state.clock.micros_ago(REGISTRATION_SECONDS);
        if db::nonce::take(tx, self.credential.get().nonce, context, since).await? {
            return Ok(());
        }
        Err(ApiError::record_invalid("The credential does not answer a challenge of this server.")
            .hint("Too much time may have passed: begin the registration again."))
    }

    /// Whether this is the very registration that an account rests on: its sender is the one who made it, because
    /// the OPAQUE record was never shown to anybody else.
    pub(crate) fn is(&self, account: &Registered) -> bool {
        account.credential_id == self.credential.pin().id
            && account.bundle_id == self.bundle.id()
            && bool::from(account.opaque_record.ct_eq(&self.record.as_bytes()[..]))
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
            opaque_record: self.record.as_bytes(),
            credential_id: self.credential.pin().id,
            credential: &self.registration.credential,
            envelope: &self.registration.envelope.0,
            inviter,
        };
        db::account::insert(tx, &account, now).await?;
        db::vault::insert(tx, self.opening.user_id, &self.registration.vault.0).await?;
        Ok(())
    }
}

/// Limits of an opening; whether it opens a subject is for the caller to check.
pub(crate) fn check_opening(opening: &Opening) -> Result<(), ApiError> {
    if opening.name.len() > MAX_PERSON_NAME {
        let detail = format!("A person's name has at most {MAX_PERSON_NAME} bytes.");
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
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

fn check_envelope(bytes: &[u8], expected: &Expected<'_>) -> Result<(), ApiError> {
    let envelope = Envelope::parse(bytes).map_err(|_| ApiError::malformed("The envelope is malformed."))?;
    let header = envelope.header();
    let says = (header.user_id, header.generation, header.epoch, header.account_key);
    if says != (expected.opening.user_id, 1, 1, expected.account_key) {
        return Err(ApiError::record_invalid("The envelope is not a first one of the account expected."));
    }
    Ok(())
}

fn check_credential(
    registration: &Registration,
    bundle: &VerifiedBundle,
    account_key: bool,
) -> Result<VerifiedCredential, ApiError> {
    let invalid = |error| ApiError::record_invalid(format!("The credential is not valid: {error}."));
    let credential = VerifiedCredential::verify(registration.credential.clone(), bundle).map_err(invalid)?;
    let change = CredentialChange {
        // Compared with the one we issued when it is used up.
        nonce: credential.get().nonce,
        account_key,
        opaque_record: &registration.opaque_record.0,
        envelope: &registration.envelope.0,
        previous: None,
    };
    credential.check_change(&change).map_err(invalid)?;
    Ok(credential)
}
