//! `unshare`: the server refuses the file to them from now on.

use crate::{
    args::UnshareArgs,
    commands::{
        items::Items,
        share::{distinct, own_file},
    },
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
    let mut items = Items::new(recipients.len());
    let mut unshares = Vec::with_capacity(recipients.len());
    for email in recipients {
        let failure = session.unshare(args.file, &email).await.map_err(own_file).err();
        let error = failure.as_ref().map(ItemError::from);
        let status = if error.is_some() { "error" } else { "unshared" };
        unshares.push(Unshared { email: email.to_string(), status: status.to_owned(), error });
        failure.into_iter().for_each(|failure| items.fail(email.as_str(), failure));
    }
    context.printer.show(&Unshares { file_id: args.file.to_string(), unshares })?;
    items.finish(&context.printer)
}
