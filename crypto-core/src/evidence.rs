//! Evidence of a delivery that a third party checks offline, without trusting the server (protocol §14): one file with
//! everything that was signed, and a verifier that needs nothing else but the organisation's id.
//!
//! ```text
//! collected by owner or recipient ── encode ──▶ bytes ── verify(bytes, org_id) ──▶ Verdict ── compare ──▶ SameContent
//! ```
//!
//! Nothing of it is believed before [`verify`] returned: only that builds a [`Verdict`], and only [`ContentCheck::finish`]
//! builds a [`SameContent`]. The order of verification is that of a recipient (§8), as far as it needs no private key.

mod content;
mod format;
mod verdict;
mod verify;

pub use content::{ContentCheck, SameContent};
pub use format::{Collected, CollectedDelivery, FORMAT, MAX_BYTES, MAX_RECEIPTS, encode};
pub use verdict::{Delivered, Facts, Mark, Party, Proves, ReceiptFacts, Verdict};
pub use verify::{EvidenceError, verify};

#[cfg(test)]
mod tests;
