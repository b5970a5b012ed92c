//! `unshare`: the server refuses the file to them from now on.

use crate::{
    args::UnshareArgs,
    commands::share::distinct,
    context::Context,
    failure::{Failure, Outcome},
    output::{ItemError, Unshared, Unshares},
};

pub async fn run(args: UnshareArgs, context: &Context) -> Outcome {
    if args.rekey {
        return Err(Failure::later("sealing anew under another key (--rekey)"));
    }
    let recipients = distinct(args.emails);
    let session = context.signed_in().await?;
    let mut result = Ok(());
    let mut unshares = Vec::with_capacity(recipients.len());
    for email in recipients {
        let outcome = session.unshare(args.file, &email).await.map_err(Failure::from);
        let error = outcome.as_ref().err().map(ItemError::from);
        let status = if error.is_some() { "error" } else { "unshared" };
        unshares.push(Unshared { email: email.to_string(), status: status.to_owned(), error });
        result = result.and(outcome);
    }
    context.printer.show(&Unshares { file_id: args.file.to_string(), unshares })?;
    result
}
