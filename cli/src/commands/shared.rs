//! `shared`: what was shared with the caller.

use sealpost_client::SharedFile;

use super::account::person;
use crate::{
    args::ListArgs,
    commands::listing::{self, Listing},
    context::Context,
    failure::Outcome,
    output::ReceivedFile,
    time,
};

pub async fn run(args: ListArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let mut listing = Listing::new(&context.printer, "files", args.limit);
    while let Some(cursor) = listing.next() {
        listing.page(session.shared(cursor).await?, file)?;
    }
    listing.end("Nothing was shared with you yet.")
}

/// A file as output.
pub fn file(file: SharedFile) -> ReceivedFile {
    ReceivedFile {
        sealed_at: time::rfc3339(file.file.sealed_at),
        file: listing::facts(file.file),
        from: person(file.from),
        sender_left: file.sender_left,
        by_retired_key: file.by_retired_key,
        shared_at: time::rfc3339(file.shared_at),
        expires_at: file.expires_at.map(time::rfc3339),
        downloads_left: file.limit.map(|limit| limit.saturating_sub(file.downloads)),
        received: file.received,
    }
}
