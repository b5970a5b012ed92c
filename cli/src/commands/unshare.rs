//! `unshare`: the server refuses the file to them from now on; with `--rekey` their key opens nothing that it keeps.

use sealpost_client::{EmailAddress, Error, SignedIn};

use crate::{
    args::UnshareArgs,
    commands::{
        items::Items,
        share::{distinct, own_file},
    },
    context::Context,
    failure::Outcome,
    output::{ItemError, Unshared, Unshares},
    progress::Meter,
};

pub async fn run(args: UnshareArgs, context: &Context) -> Outcome {
    let recipients = distinct(args.emails.clone());
    let session = context.signed_in().await?;
    let mut items = Items::new(recipients.len());
    let mut shown =
        Unshares { file_id: args.file.to_string(), unshares: Vec::new(), sealed_anew: false, version: None };
    if args.rekey {
        rekey(&args, &recipients, &session, context, &mut shown, &mut items).await?;
    } else {
        for email in recipients {
            let outcome = session.unshare(args.file, &email).await;
            shown.unshares.push(entry(&email, outcome, &mut items));
        }
    }
    context.printer.show(&shown)?;
    items.finish(&context.printer)
}

async fn rekey(
    args: &UnshareArgs,
    recipients: &[EmailAddress],
    session: &SignedIn,
    context: &Context,
    shown: &mut Unshares,
    items: &mut Items,
) -> Outcome {
    let meter = Meter::new(&context.printer, &args.file.to_string());
    let rekeyed = session.unshare_rekeying(args.file, recipients, &meter.callback()).await;
    drop(meter);
    let rekeyed = rekeyed.map_err(own_file)?;
    (shown.sealed_anew, shown.version) = (rekeyed.sealed_anew, Some(rekeyed.version));
    for outcome in rekeyed.recipients {
        shown.unshares.push(entry(&outcome.email, outcome.result, items));
    }
    Ok(())
}

/// What became of one share; a failure goes to `items` too.
fn entry(email: &EmailAddress, outcome: Result<(), Error>, items: &mut Items) -> Unshared {
    let failure = outcome.map_err(own_file).err();
    let error = failure.as_ref().map(ItemError::from);
    let status = if error.is_some() { "error" } else { "unshared" };
    failure.into_iter().for_each(|failure| items.fail(email.as_str(), failure));
    Unshared { email: email.to_string(), status: status.to_owned(), error }
}
