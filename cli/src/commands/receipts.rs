//! `receipts`: who signed that every byte arrived.

use sealpost_client::ReceiptInfo;

use crate::{
    args::ReceiptsArgs, commands::listing::Listing, context::Context, failure::Outcome, output::Receipt, time,
};

pub async fn run(args: ReceiptsArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let mut listing = Listing::new(&context.printer, "receipts", args.limit);
    while let Some(cursor) = listing.next() {
        listing.page(session.receipts(args.file, cursor).await?, receipt)?;
    }
    listing.end("No receipts yet.")
}

/// Whether the key that signed is still its signer's.
pub fn standing(by_retired_key: bool) -> String {
    if by_retired_key { "retired" } else { "current" }.to_owned()
}

/// A receipt as output.
pub fn receipt(receipt: ReceiptInfo) -> Receipt {
    Receipt {
        file_id: receipt.file_id.to_string(),
        version: receipt.version,
        name: receipt.name,
        email: receipt.recipient.email,
        time: time::rfc3339(receipt.received_at),
        standing: standing(receipt.by_retired_key),
        record: serde_json::to_value(receipt.record).unwrap_or_default(),
    }
}
