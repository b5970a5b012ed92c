//! `share`, and what `upload --to` takes from it.

use sealpost_client::{EmailAddress, FileId, ShareOutcome, SignedIn, Terms};

use crate::{
    args::{ShareArgs, TermsArgs},
    context::Context,
    failure::{Failure, Outcome},
    output::{SharedWith, Shares},
    time,
};

pub async fn run(args: ShareArgs, context: &Context) -> Outcome {
    let recipients = distinct(args.emails);
    let session = context.signed_in().await?;
    let (shares, result) = share(&session, args.file, &recipients, terms(args.terms)).await?;
    context.printer.show(&Shares { file_id: args.file.to_string(), shares })?;
    result
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

/// Shares with each; one recipient's failure does not stop the others. The second value is the first failure.
pub async fn share(
    session: &SignedIn,
    file: FileId,
    recipients: &[EmailAddress],
    terms: Terms,
) -> Outcome<(Vec<SharedWith>, Outcome)> {
    let mut result = Ok(());
    let mut shares = Vec::with_capacity(recipients.len());
    for outcome in session.share(file, recipients, terms).await? {
        let (entry, failure) = entry(outcome, terms);
        shares.push(entry);
        result = result.and(failure);
    }
    Ok((shares, result))
}

fn entry(outcome: ShareOutcome, terms: Terms) -> (SharedWith, Outcome) {
    let email = outcome.email.to_string();
    match outcome.result {
        Ok(_) => {
            let expires_at = terms.expires_at.map(time::rfc3339);
            let status = "shared".to_owned();
            (SharedWith { email, status, expires_at, download_limit: terms.downloads, error: None }, Ok(()))
        }
        Err(error) => {
            let failure = Failure::from(error);
            (SharedWith::failed(email, &failure), Err(failure))
        }
    }
}
