//! `reshare`: what was shared with somebody's old account, shared with the new one, file by file.

use sealpost_client::{LostShare, Replacement, SignedIn};

use super::account;
use crate::{
    args::ReshareArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{self, ItemError, Reshared, Reshares, terms},
    text::safe,
    time,
};

pub async fn run(args: ReshareArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let replacement = session.replacement(&args.email).await?;
    show(&replacement, context);
    check_account(&args, &replacement, context)?;
    let mut shares = Vec::with_capacity(replacement.shares.len());
    for share in &replacement.shares {
        shares.push(one(&session, &replacement, share, context).await?);
    }
    let failed = shares.iter().filter(|share| share.error.is_some()).count() as u64;
    context.printer.show(&Reshares {
        email: replacement.new.email.clone(),
        account: replacement.new.user_id.to_string(),
        old_accounts: replacement.old.iter().map(ToString::to_string).collect(),
        new_account: account::succession(replacement.succession.clone()),
        shares,
    })?;
    if failed == 0 {
        return Ok(());
    }
    let message = format!("{} could not be shared", output::count(failed, "file"));
    Err(Failure::new(Exit::Network, "reshare_incomplete", message).hint("Run the same command again."))
}

fn show(replacement: &Replacement, context: &Context) {
    let (email, new) = (safe(&replacement.new.email), account::succession(replacement.succession.clone()));
    let old: Vec<String> = replacement.old.iter().map(ToString::to_string).collect();
    context.printer.note(&format!("{email}: {}", new.human()));
    context.printer.note(&format!("  old account  {}", old.join(", ")));
    context.printer.note(&format!("  new account  {}", replacement.new.user_id));
    if replacement.shares.is_empty() {
        context.printer.note("Nothing of yours is shared with the old account only.");
    }
    for share in &replacement.shares {
        context.printer.note(&format!("  {}", line(share)));
    }
}

fn line(share: &LostShare) -> String {
    let until = share.terms.expires_at.map(time::rfc3339);
    format!(
        "{}  {}{}",
        share.file.file_id,
        safe(&share.file.name),
        terms(until.as_deref(), share.terms.downloads)
    )
}

/// A yes in advance counts only for the account that was named: addresses change hands, accounts do not.
fn check_account(args: &ReshareArgs, replacement: &Replacement, context: &Context) -> Outcome {
    let named = args.account == Some(replacement.new.user_id);
    if args.account.is_some() && !named {
        let message = format!("the new account is {}, not the one that was named", replacement.new.user_id);
        return Err(
            Failure::new(Exit::Usage, "account_differs", message).hint("Nothing was shared. Look again.")
        );
    }
    if replacement.shares.is_empty() {
        return Ok(());
    }
    if named && context.prompter.says_yes() || context.prompter.interactive() && !context.prompter.says_yes()
    {
        return Ok(());
    }
    let message = "sharing with a new account needs your yes for each file";
    Err(Failure::new(Exit::Usage, "yes_needed", message)
        .hint("Without a person to ask: -y together with --account NEW_USER_ID, once you know that account."))
}

async fn one(
    session: &SignedIn,
    replacement: &Replacement,
    share: &LostShare,
    context: &Context,
) -> Outcome<Reshared> {
    let reshared = |status: &str, error| Reshared {
        file_id: share.file.file_id.to_string(),
        name: share.file.name.clone(),
        status: status.to_owned(),
        expires_at: share.terms.expires_at.map(time::rfc3339),
        download_limit: share.terms.downloads,
        error,
    };
    let question = format!("Share {} with the new account?", safe(&share.file.name));
    if !context.prompter.confirm(&question).await? {
        return Ok(reshared("skipped", None));
    }
    match session.reshare(replacement, share).await {
        Ok(()) => Ok(reshared("shared", None)),
        Err(error) => {
            let failure = Failure::from(error).about(&share.file.name);
            context.printer.failure(&failure);
            Ok(reshared("error", Some(ItemError::from(&failure))))
        }
    }
}
