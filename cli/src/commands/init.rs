//! `init`: founds the organisation.

use sealpost_client::FoundOrganisation;

use super::account;
use crate::{
    args::InitArgs,
    context::{self, Context},
    failure::{Failure, Outcome},
};

pub async fn run(args: InitArgs, context: &Context) -> Outcome {
    let anonymous = context.anonymous(&context.server_or(None)?, args.keep).await?;
    let email = context.email(args.email).await?;
    let setup_token = setup_token(args.setup_token, context).await?;
    let password = context.prompter.new_password().await?;
    context.printer.note("Founding the organisation: making keys …");
    let founding = FoundOrganisation {
        setup_token,
        email,
        name: args.name,
        organisation: args.org,
        password: context::password(&password)?,
    };
    account::enrol(anonymous.found(founding).await?, context).await?;
    context.printer.note(
        "You are the only Ops member: if you lose password and recovery kit, the organisation is lost, so invite a \
         second one soon: sealpost invite COLLEAGUE@EXAMPLE.COM --role ops",
    );
    context.printer.note("Next: sealpost invite CLIENT@EXAMPLE.COM");
    Ok(())
}

async fn setup_token(given: Option<String>, context: &Context) -> Outcome<sealpost_client::Token> {
    let token = match given {
        Some(token) => Some(zeroize::Zeroizing::new(token)),
        None => context.prompter.secret("Setup token (printed by `sealpost serve`): ").await?,
    };
    let token = token.ok_or_else(|| {
        Failure::usage("no setup token was given")
            .hint("Add --setup-token TOKEN, or set SEALPOST_SETUP_TOKEN.")
    })?;
    Ok(sealpost_client::Token::new(token.trim().to_owned()))
}
