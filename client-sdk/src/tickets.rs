//! Downloads begun and receipts not delivered yet, on the device: a retry uses the same ticket, so it counts
//! once (protocol §7.6), and a signed receipt is never lost.

use std::collections::BTreeMap;

use sealpost_crypto::{
    id::{FileId, RecordId, TicketId},
    record::RawRecord,
};
use serde::{Deserialize, Serialize};

use crate::{device::Device, error::Result, file::OpenFile};

const BLOB: &str = "tickets";

#[derive(Default, Serialize, Deserialize)]
struct Tickets {
    /// Downloads begun, by file.
    begun: BTreeMap<FileId, Begun>,
    /// Receipts that the server may not have.
    receipts: Vec<Waiting>,
}

#[derive(Serialize, Deserialize)]
struct Begun {
    share: RecordId,
    ticket: TicketId,
}

/// A signed receipt that waits for the server.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub file_id: FileId,
    pub ticket: TicketId,
    pub receipt: RawRecord,
}

/// The ticket of an unfinished download of the file; or of one whose receipt was signed and did not get away. That one
/// may have ended before the file was in its place, and is the same download when it is repeated.
pub(crate) fn begun(device: &Device, file_id: FileId) -> Result<Option<TicketId>> {
    let tickets = load(device)?;
    let waiting = || tickets.receipts.iter().rev().find(|waiting| waiting.file_id == file_id);
    let begun = tickets.begun.get(&file_id).map(|begun| begun.ticket);
    Ok(begun.or_else(|| waiting().map(|waiting| waiting.ticket)))
}

/// Keeps the ticket, before the first request that counts.
pub(crate) fn begin(device: &Device, file: &OpenFile, ticket: TicketId) -> Result<()> {
    change(device, |tickets| {
        tickets.begun.insert(file.file_id(), Begun { share: file.share.id(), ticket });
    })
}

/// The download is finished, without a receipt.
pub(crate) fn close(device: &Device, file: &OpenFile) -> Result<()> {
    change(device, |tickets| {
        tickets.begun.remove(&file.file_id());
    })
}

/// The download is finished; its receipt waits for the server.
pub(crate) fn close_with_receipt(
    device: &Device,
    file: &OpenFile,
    ticket: TicketId,
    receipt: &RawRecord,
) -> Result<()> {
    change(device, |tickets| {
        tickets.begun.remove(&file.file_id());
        tickets.receipts.retain(|waiting| waiting.ticket != ticket);
        tickets.receipts.push(Waiting { file_id: file.file_id(), ticket, receipt: receipt.clone() });
    })
}

/// Every receipt that waits.
pub(crate) fn receipts(device: &Device) -> Result<Vec<Waiting>> {
    Ok(load(device)?.receipts)
}

/// The server has this one.
pub(crate) fn receipt_sent(device: &Device, sent: &Waiting) -> Result<()> {
    change(device, |tickets| tickets.receipts.retain(|waiting| waiting.receipt != sent.receipt))
}

/// Several downloads may run at one time, each in a process of its own.
fn change(device: &Device, change: impl FnOnce(&mut Tickets)) -> Result<()> {
    let _guard = device.hold(BLOB)?;
    let mut tickets = load(device)?;
    change(&mut tickets);
    device.save(BLOB, &tickets)
}

fn load(device: &Device) -> Result<Tickets> {
    Ok(device.load(BLOB)?.unwrap_or_default())
}
