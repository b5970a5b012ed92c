//! What a person is told about shares that were made anew under new keys.

use sealpost_client::{Rejected, Renewal};

use crate::{printer::Printer, text::safe};

/// Says what the person with the address `email` should look at.
pub fn tell(renewal: &Renewal, email: &str, printer: &Printer) {
    for share in &renewal.ended {
        let (id, to) = (share.file_id, safe(&share.recipient.email));
        printer.warn(&if share.recipient.email == email {
            format!(
                "{id} stood among your own files, and is yours no more: your old keys signed it, and none of your devices \
                 knew of it. If you did upload it, do so again. sealpost rm {id} clears it away."
            )
        } else {
            format!(
                "the share of {id} with {to} was ended: your old keys signed it, and none of your devices knew of it. If it \
                 is yours, share again."
            )
        });
    }
    for Rejected { file_id, error } in &renewal.rejected {
        printer.warn(&format!("{file_id} does not verify, and was not made anew: {error}"));
    }
}
