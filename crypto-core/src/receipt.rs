//! Receipts (protocol §4, §8 step 10): the recipient's signature that every byte arrived and verified. A
//! missing receipt proves nothing.

use crate::{
    error::failures,
    id::RecordId,
    log::{AuthorError, Log, Signer, SignerError, Standing, StandingError},
    record::{Author, Authored, RawRecord, Signed},
    records::{Positioned, Receipt},
    share::VerifiedShare,
};

failures! {
    /// Why a receipt can't be made.
    #[derive(Copy)]
    MakeReceiptError {
        /// The share is another person's.
        NotTheRecipient = "receipt_not_recipient", "only a share's recipient signs its receipt";
    }
    from {
        /// The recipient can't sign now.
        Signer(SignerError),
    }
}

failures! {
    /// Why a receipt was refused.
    ReceiptError {
        /// Signed by somebody who was not the share's recipient.
        NotTheRecipient = "receipt_not_recipient", "the receipt is not signed by the share's recipient";
        /// For another share.
        OtherShare = "receipt_other_share", "the receipt belongs to another share";
        /// For another manifest.
        OtherManifest = "receipt_other_manifest", "the receipt belongs to another version of the file";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
        /// The keys were not the signer's at the log size it names.
        Standing(StandingError),
    }
}

/// A receipt by the recipient of a verified share.
#[derive(Debug, Clone)]
pub struct VerifiedReceipt {
    record: Signed<Receipt>,
    standing: Standing,
}

/// Signs that every byte of `share`'s file arrived and verified. Only after it did, and not for ranges.
pub fn sign(
    signer: &Signer<'_>,
    share: &VerifiedShare,
    time: u64,
) -> Result<Signed<Receipt>, MakeReceiptError> {
    let Author { org_id, signer: recipient, signer_bundle } = signer.author();
    if share.context().recipient != recipient {
        return Err(MakeReceiptError::NotTheRecipient);
    }
    let position = signer.position()?;
    Ok(signer.sign(Receipt {
        org_id,
        signer: recipient,
        signer_bundle,
        share: share.id(),
        manifest: share.manifest().id(),
        time,
        log_size: position.size,
        log_head: position.head,
        log_sig: position.signature,
    })?)
}

impl VerifiedReceipt {
    /// Verifies that `raw` is the receipt for `share`. One by keys that are retired since is shown, marked:
    /// look at [`VerifiedReceipt::standing`].
    pub fn verify(raw: RawRecord, share: &VerifiedShare, log: &Log) -> Result<Self, ReceiptError> {
        let record = log.verify_authored::<Receipt>(raw)?;
        if record.signer != share.context().recipient {
            return Err(ReceiptError::NotTheRecipient);
        }
        if record.share != share.id() {
            return Err(ReceiptError::OtherShare);
        }
        if record.manifest != share.manifest().id() {
            return Err(ReceiptError::OtherManifest);
        }
        let standing = log.standing(&record.author(), &record.position(), true)?;
        Ok(Self { record, standing })
    }

    /// What it says.
    pub fn get(&self) -> &Receipt {
        self.record.get()
    }

    /// H(receipt).
    pub fn id(&self) -> RecordId {
        self.record.id()
    }

    /// As it travels.
    pub fn raw(&self) -> &RawRecord {
        self.record.raw()
    }

    /// In what way the recipient's signature counts.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{OrgId, UserId},
        records::RevokeReason,
        share::testing::Delivery,
    };

    #[test]
    fn only_the_recipient_signs_for_exactly_this_delivery() {
        let delivery = Delivery::new();
        let share = delivery.verified();
        let log = &delivery.organisation.log;
        let signer = log.signer(&delivery.recipient).unwrap();
        let receipt = sign(&signer, &share, 5).unwrap();
        let verified = VerifiedReceipt::verify(receipt.raw().clone(), &share, log).unwrap();
        assert_eq!((verified.get().time, verified.standing()), (5, Standing::Current));
        let sender = log.signer(&delivery.organisation.founder).unwrap();
        assert_eq!(sign(&sender, &share, 5).unwrap_err(), MakeReceiptError::NotTheRecipient);

        let changed = |change: fn(&mut Receipt), by: &crate::account::Account| {
            let mut record = receipt.get().clone();
            (record.signer, record.signer_bundle) = (by.user_id(), by.bundle().id());
            change(&mut record);
            let raw = Signed::sign(record, &by.keys().signing).unwrap().into_raw();
            VerifiedReceipt::verify(raw, &share, log).map(|_| ()).unwrap_err()
        };
        let (bob, ann) = (&delivery.recipient, &delivery.organisation.founder);
        assert_eq!(changed(|_| (), ann), ReceiptError::NotTheRecipient);
        assert_eq!(changed(|r| r.share = RecordId::ZERO, bob), ReceiptError::OtherShare);
        assert_eq!(changed(|r| r.manifest = RecordId::ZERO, bob), ReceiptError::OtherManifest);
        assert_eq!(changed(|r| r.org_id = OrgId::ZERO, bob), AuthorError::ForeignOrganisation.into());
        assert_eq!(changed(|r| r.signer = UserId::ZERO, bob), AuthorError::Signer.into());
    }

    #[test]
    fn a_receipt_by_retired_keys_is_marked() {
        let mut delivery = Delivery::new();
        let share = delivery.verified();
        let signer = delivery.organisation.log.signer(&delivery.recipient).unwrap();
        let raw = sign(&signer, &share, 5).unwrap().into_raw();
        let next = delivery.organisation.rotate(&delivery.recipient);
        let standing = |delivery: &Delivery| {
            VerifiedReceipt::verify(raw.clone(), &share, &delivery.organisation.log).unwrap().standing()
        };
        assert_eq!(standing(&delivery), Standing::Retired);
        delivery.organisation.revoke(&next, RevokeReason::Compromised);
        assert_eq!(standing(&delivery), Standing::Retired);
    }
}
