//! `login`: a session on this device.

use sealpost_client::{AccountKey, Anonymous, EmailAddress, ErrorKind, SignedIn};

use super::account;
use crate::{
    args::LoginArgs,
    context::{self, Context},
    failure::{Failure, Outcome},
    kit,
    prompt::{self, Secret},
};

pub async fn run(args: LoginArgs, context: &Context) -> Outcome {
    let anonymous = context.anonymous(&context.server_or(None)?, args.keep).await?;
    if let Some(path) = &args.key_file {
        let kit = kit::from_file(path, context)?;
        let session = match &args.email {
            Some(email) => anonymous.login_with_seed(email, kit.org_id, kit.seed).await?,
            None => anonymous.login_with_kit(kit).await?,
        };
        return context.printer.show(&account::account(session.whoami().await?, context)?);
    }
    let email = context.email(args.email).await?;
    let account_key = match &args.account_key_file {
        Some(path) => Some(account_key_of(&prompt::secret_file(path)?)?),
        None => None,
    };
    let password = context.prompter.password().await?;
    let session = sign_in(anonymous, &email, &password, account_key, context).await?;
    context.printer.show(&account::account(session.whoami().await?, context)?)
}

/// Whether an account has an account key is nobody's business before it opens, so a person is only asked for it
/// when signing in without one failed.
async fn sign_in(
    anonymous: Anonymous,
    email: &EmailAddress,
    password: &Secret,
    account_key: Option<AccountKey>,
    context: &Context,
) -> Outcome<SignedIn> {
    let given = account_key.is_some();
    let failure = match anonymous.clone().login(email, context::password(password)?, account_key).await {
        Ok(session) => return Ok(session),
        Err(error) if error.kind() == ErrorKind::LoginFailed && !given => Failure::from(error),
        Err(error) => return Err(error.into()),
    };
    let question = "That did not work. Account key from the recovery kit, if there is one (else Enter): ";
    match context.prompter.secret(question).await? {
        Some(typed) if !typed.trim().is_empty() => {
            let key = account_key_of(&typed)?;
            Ok(anonymous.login(email, context::password(password)?, Some(key)).await?)
        }
        _ => Err(failure),
    }
}

fn account_key_of(text: &str) -> Outcome<AccountKey> {
    let key = sealpost_client::account_key_from_code(text.trim());
    key.map_err(|error| {
        Failure::usage(error.to_string()).hint("Copy it from the recovery kit, hyphens and all.")
    })
}
