//! `ls`: the caller's files and whom they are shared with.

use sealpost_client::{OwnFile, QueuedShare, ShareInfo};

use crate::{
    args::ListArgs,
    commands::{
        account,
        listing::{self, Listing},
        receipts,
    },
    context::Context,
    failure::Outcome,
    output::{self, Share},
    time,
};

pub async fn run(args: ListArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let mut listing = Listing::new(&context.printer, "files", args.limit);
    while let Some(cursor) = listing.next() {
        listing.page(session.files(cursor).await?, file)?;
    }
    listing.end("No files yet. Upload one with: sealpost upload PATH")
}

/// A file as output.
pub fn file(file: OwnFile) -> output::OwnFile {
    output::OwnFile {
        created_at: time::rfc3339(file.file.sealed_at),
        file: listing::facts(file.file),
        shares: file.shares.into_iter().map(share).chain(file.queued.into_iter().map(queued)).collect(),
        more_shares: file.more_shares,
    }
}

fn share(share: ShareInfo) -> Share {
    Share {
        status: status(&share).to_owned(),
        version: Some(share.version),
        new_account: share.succession.map(account::succession),
        email: share.recipient.email,
        shared_at: time::rfc3339(share.shared_at),
        expires_at: share.expires_at.map(time::rfc3339),
        downloads: share.downloads,
        download_limit: share.limit,
        receipt_at: share.received_at.map(time::rfc3339),
        receipt_standing: share.received_at.map(|_| receipts::standing(share.receipt_by_retired_key)),
    }
}

fn queued(share: QueuedShare) -> Share {
    Share {
        email: share.email,
        status: "queued".to_owned(),
        version: None,
        new_account: None,
        shared_at: time::rfc3339(share.queued_at),
        expires_at: share.terms.expires_at.map(time::rfc3339),
        downloads: 0,
        download_limit: share.terms.downloads,
        receipt_at: None,
        receipt_standing: None,
    }
}

/// The server's word for it, and the clock's.
fn status(share: &ShareInfo) -> &'static str {
    if share.ended {
        "ended"
    } else if share.renewed {
        "renewed"
    } else if share.replaced {
        "replaced"
    } else if share.expires_at.is_some_and(|end| end <= time::now()) {
        "expired"
    } else if share.limit.is_some_and(|limit| share.downloads >= limit) {
        "used_up"
    } else if share.recipient_ended {
        "account_ended"
    } else {
        "active"
    }
}
