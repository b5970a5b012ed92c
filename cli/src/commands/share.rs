//! `share`, and what `upload --to` takes from it.

use sealpost_client::{EmailAddress, Error, FileId, ShareOutcome, ShareStatus, SignedIn, Terms};

use crate::{
    args::{ShareArgs, TermsArgs},
    commands::items::Items,
    context::Context,
    failure::{Failure, Outcome},
    output::{SharedWith, Shares},
    time,
};

pub async fn run(args: ShareArgs, context: &Context) -> Outcome {
    let recipients = distinct(args.emails);
    let session = context.signed_in().await?;
    let mut items = Items::new(recipients.len());
    let shares = share(&session, args.file, &recipients, terms(args.terms), &mut items).await?;
    context.printer.show(&Shares { file_id: args.file.to_string(), shares })?;
    items.finish(&context.printer)
}

/// Each address once, in the order given.
pub fn distinct(emails: Vec<EmailAddress>) -> Vec<EmailAddress> {
    let mut recipients = Vec::with_capacity(emails.len());
    for email in emails {
        if !recipients.contains(&email) {
            recipients.push(email);
        }
    }
    recipients
}

/// How the shares end, counted from now.
pub fn terms(args: TermsArgs) -> Terms {
    Terms { expires_at: args.expires.map(time::Lifetime::ends_at), downloads: args.downloads }
}

/// Shares with each; failures go to `items`. An error is for what concerns all of them.
pub async fn share(
    session: &SignedIn,
    file: FileId,
    recipients: &[EmailAddress],
    terms: Terms,
    items: &mut Items,
) -> Outcome<Vec<SharedWith>> {
    let outcomes = session.share(file, recipients, terms).await.map_err(own_file)?;
    Ok(outcomes.into_iter().map(|outcome| entry(outcome, terms, items)).collect())
}

/// What became of one recipient; a failure goes to `items` too.
pub fn entry(outcome: ShareOutcome, terms: Terms, items: &mut Items) -> SharedWith {
    let email = outcome.email.to_string();
    match outcome.result {
        Ok(shared) => {
            let expires_at = terms.expires_at.map(time::rfc3339);
            let status = match shared {
                ShareStatus::Shared(_) => "shared",
                ShareStatus::Queued(_) => "queued",
            };
            let status = status.to_owned();
            SharedWith { email, status, expires_at, download_limit: terms.downloads, error: None }
        }
        Err(error) => {
            let failure = Failure::from(error);
            let shared = SharedWith::failed(email.clone(), &failure);
            items.fail(&email, failure);
            shared
        }
    }
}

/// A failure about one of the caller's own files.
pub fn own_file(error: Error) -> Failure {
    Failure::from(error).or_hint("`sealpost ls` lists your files and their shares.")
}
