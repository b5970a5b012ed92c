//! Signing in with a password, and with the account key if there is one.

use sealpost_client::{AccountKey, Anonymous, EmailAddress, ErrorKind, Password, SignedIn};

use crate::{
    failure::{Failure, Outcome},
    prompt::{Prompter, Secret},
};

/// A typed or given password as the SDK takes it.
pub fn as_password(secret: &Secret) -> Outcome<Password> {
    Password::new(secret.to_string()).map_err(|error| {
        Failure::usage(error.to_string())
            .hint("Several unrelated words are easy to remember and hard to guess.")
    })
}

/// Whether an account has an account key is nobody's business before it opens, so a person is only asked for it
/// when signing in without one failed.
pub async fn sign_in(
    anonymous: Anonymous,
    email: &EmailAddress,
    password: &Secret,
    account_key: Option<AccountKey>,
    prompter: &Prompter,
) -> Outcome<SignedIn> {
    let given = account_key.is_some();
    let failure = match anonymous.clone().login(email, as_password(password)?, account_key).await {
        Ok(session) => return Ok(session),
        Err(error) if error.kind() == ErrorKind::LoginFailed && !given => Failure::from(error),
        Err(error) => return Err(error.into()),
    };
    let question = "That did not work. Account key from the recovery kit, if there is one (else Enter): ";
    match prompter.secret(question).await? {
        Some(typed) if !typed.trim().is_empty() => {
            let key = account_key_of(&typed)?;
            Ok(anonymous.login(email, as_password(password)?, Some(key)).await?)
        }
        _ => Err(failure),
    }
}

/// An account key as it stands on the kit.
pub fn account_key_of(text: &str) -> Outcome<AccountKey> {
    let key = sealpost_client::account_key_from_code(text.trim());
    key.map_err(|error| {
        Failure::usage(error.to_string()).hint("Copy it from the recovery kit, hyphens and all.")
    })
}
