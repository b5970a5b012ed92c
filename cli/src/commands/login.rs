//! `login`: a session on this device.

use super::account;
use crate::{
    args::LoginArgs,
    context::Context,
    failure::Outcome,
    kit, prompt,
    sign_in::{account_key_of, sign_in},
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
    let session = sign_in(anonymous, &email, &password, account_key, &context.prompter).await?;
    context.printer.show(&account::account(session.whoami().await?, context)?)
}
