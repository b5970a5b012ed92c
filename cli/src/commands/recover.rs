//! `recover`: a new password, by the recovery kit.

use sealpost_client::{Identity, KitError, KitText, RecoveryKit, account_key_from_code, seed_from_words};

use super::account;
use crate::{
    args::RecoverArgs,
    context::{self, Context},
    failure::{Failure, Outcome},
    kit,
    prompt::Secret,
    text::safe,
};

pub async fn run(args: RecoverArgs, context: &Context) -> Outcome {
    let anonymous = context.anonymous(&context.server_or(None)?, args.keep).await?;
    let kit = match &args.kit_file {
        Some(path) => kit::from_file(path, context)?,
        None => ask(context).await?,
    };
    let recovery = anonymous.recover(kit).await?;
    context.printer.note(&format!("The kit of {}", whose(recovery.identity())));
    let password = context.prompter.new_password().await?;
    context.printer.note("Setting the new password …");
    let session = recovery.set_password(context::password(&password)?).await?;
    context.printer.show(&account::account(session.whoami().await?, context)?)?;
    context.printer.note("The new password counts from now on, and every other session has ended. Keep the kit: it stays valid.");
    Ok(())
}

fn whose(identity: &Identity) -> String {
    let role = account::role_for_people(identity.role);
    format!("{}, {role} of {}", safe(&identity.email), safe(&identity.org_name))
}

/// Piece by piece, each asked for again until it can be right.
async fn ask(context: &Context) -> Outcome<RecoveryKit> {
    if !context.prompter.interactive() {
        return Err(Failure::usage("no recovery kit was given, and there is nobody to ask")
            .hint("Add --kit-file FILE."));
    }
    context.printer.note("Nothing is shown while you type.");
    let words =
        piece(context, "The 24 words, with spaces between them: ", |text| seed_from_words(text).map(drop))
            .await?;
    let kit = |organisation: &Secret, account_key| KitText {
        words: words.clone(),
        organisation: organisation.clone(),
        account_key,
    };
    let organisation =
        piece(context, "The organisation's code: ", |text| RecoveryKit::parse(&kit(text, None)).map(drop))
            .await?;
    let account_key = piece(context, "The account key (Enter if there is none on the kit): ", |text| {
        if text.trim().is_empty() { Ok(()) } else { account_key_from_code(text).map(drop) }
    })
    .await?;
    let account_key = (!account_key.trim().is_empty()).then_some(account_key);
    RecoveryKit::parse(&kit(&organisation, account_key)).map_err(|error| kit::mistyped(&error))
}

async fn piece(
    context: &Context,
    question: &str,
    check: impl Fn(&Secret) -> Result<(), KitError>,
) -> Outcome<Secret> {
    loop {
        let Some(typed) = context.prompter.secret(question).await? else {
            return Err(Failure::interrupted());
        };
        match check(&typed) {
            Ok(()) => return Ok(typed),
            Err(error) => context.printer.warn(&error.to_string()),
        }
    }
}
