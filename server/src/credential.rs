//! What a password rests on: OPAQUE record, credential and envelope, at registration and at every change (protocol
//! §3.4). The server checks all that it can without keys.

use sealpost_api::{auth::RegisterChallenge, limits::REGISTRATION_SECONDS, problem::ErrorCode};
use sealpost_crypto::{
    bundle::VerifiedBundle,
    credential::{CredentialChange, CredentialError, CredentialPin, VerifiedCredential, next_epoch},
    encoding::Base64,
    envelope::Envelope,
    id::Digest,
    password::{self, RegistrationRecord},
    record::RawRecord,
};

use crate::{
    db::{self, Tx, nonce::Context},
    problem::ApiError,
    state::AppState,
};

/// The three as they were sent.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The credential.
    pub credential: &'a RawRecord,
    /// OPAQUE registration record.
    pub opaque_record: &'a [u8],
    /// The sealed seed.
    pub envelope: &'a [u8],
}

/// Three parts that agree with one another, with the account's keys, and with what they follow. Only
/// [`CheckedCredential::check`] makes one.
pub(crate) struct CheckedCredential<'a> {
    credential: VerifiedCredential,
    record: RegistrationRecord,
    envelope: &'a [u8],
}

/// Answers the first message of a password's registration, and issues the nonce for its credential.
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

impl<'a> CheckedCredential<'a> {
    /// Checks everything that rests on no secret. Whether the nonce is one of ours is
    /// [`CheckedCredential::use_nonce`]'s to say.
    pub(crate) fn check(
        parts: Parts<'a>,
        bundle: &VerifiedBundle,
        account_key: bool,
        previous: Option<CredentialPin>,
    ) -> Result<Self, ApiError> {
        let record = RegistrationRecord::parse(parts.opaque_record)
            .map_err(|_| ApiError::malformed("The OPAQUE registration record is malformed."))?;
        let envelope =
            Envelope::parse(parts.envelope).map_err(|_| ApiError::malformed("The envelope is malformed."))?;
        let credential = VerifiedCredential::verify(parts.credential.clone(), bundle).map_err(invalid)?;
        let change = CredentialChange {
            // Compared with the one we issued when it is used up.
            nonce: credential.get().nonce,
            account_key,
            opaque_record: parts.opaque_record,
            envelope: parts.envelope,
            previous,
        };
        credential.check_change(&change).map_err(|error| match error {
            CredentialError::Epoch | CredentialError::Previous if previous.is_some() => changed(),
            error => invalid(error),
        })?;
        check_header(&envelope, bundle, account_key, next_epoch(previous))?;
        Ok(Self { credential, record, envelope: parts.envelope })
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
            .hint("Too much time may have passed: begin again."))
    }

    /// The credential.
    pub(crate) fn credential(&self) -> &VerifiedCredential {
        &self.credential
    }

    /// OPAQUE registration record.
    pub(crate) fn opaque_record(&self) -> &[u8] {
        self.record.as_bytes()
    }

    /// The sealed seed.
    pub(crate) fn envelope(&self) -> &'a [u8] {
        self.envelope
    }
}

/// The stored credential is not the one that the change follows.
pub(crate) fn changed() -> ApiError {
    ApiError::new(
        ErrorCode::CredentialChanged,
        "The stored credential is not the one that this change follows.",
    )
    .hint("The password was changed elsewhere meanwhile: begin again.")
}

fn invalid(error: CredentialError) -> ApiError {
    ApiError::record_invalid(format!("The credential is not valid: {error}."))
}

/// What can be read of the envelope says the same as everything beside it.
fn check_header(
    envelope: &Envelope,
    bundle: &VerifiedBundle,
    account_key: bool,
    epoch: u64,
) -> Result<(), ApiError> {
    let header = envelope.header();
    let says = (header.user_id, header.generation, header.epoch, header.account_key);
    if says != (bundle.user_id(), bundle.generation(), epoch, account_key) {
        return Err(ApiError::record_invalid("The envelope is not one of the account and epoch expected."));
    }
    Ok(())
}
