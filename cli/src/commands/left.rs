//! `left`: what a former member left behind.

use super::{account::person, listing::Listing};
use crate::{args::LeftArgs, context::Context, failure::Outcome, output, time};

pub async fn run(args: LeftArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let mut listing = Listing::new(&context.printer, "files", args.limit);
    while let Some(cursor) = listing.next() {
        listing.page(session.left_files(&args.email, cursor).await?, file)?;
    }
    listing.end("Nothing was left behind.")
}

fn file(file: sealpost_client::LeftFile) -> output::LeftFile {
    let share = |share: sealpost_client::LeftShare| output::LeftShare {
        email: share.recipient.email,
        shared_at: time::rfc3339(share.shared_at),
        downloads: share.downloads,
        ended: share.ended,
    };
    output::LeftFile {
        file_id: file.file_id.to_string(),
        owner_id: file.owner.user_id.to_string(),
        stored_size: file.stored_size,
        sealed_at: time::rfc3339(file.sealed_at),
        shares: file.shares.into_iter().map(share).collect(),
        more_shares: file.more_shares,
        withdrawn_by: file.withdrawn_by.map(person),
    }
}
