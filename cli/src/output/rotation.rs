//! Output of rotate.

use schemars::JsonSchema;
use serde::Serialize;

use super::{RecoveryKit, Rejected, count};
use crate::{printer::Show, text};

/// `rotate`
#[derive(Debug, Serialize, JsonSchema)]
pub struct RotatedKeys {
    /// Whose.
    pub email: String,
    /// The only way back when the password is lost; the one before is of no use any more.
    pub recovery_kit: RecoveryKit,
    /// Whom this account had invited and not admitted: their codes do not work any more.
    pub cancelled_invites: Vec<String>,
    /// Whether everything that is shared was made anew; if not, the next command goes on.
    pub complete: bool,
    /// Own files, made one's own again.
    pub files: u64,
    /// Shares to others, made anew on what was left of their terms.
    pub shares: Vec<RenewedShare>,
    /// Shares, and files among one's own, that the old keys signed and none of this account's devices knew of.
    pub ended: Vec<EndedShare>,
    /// What does not verify, and was not made anew.
    pub rejected: Vec<Rejected>,
}

/// A share that was made anew.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenewedShare {
    /// The file.
    pub file_id: String,
    /// Its name.
    pub name: String,
    /// With whom.
    pub email: String,
    /// When it ends by itself.
    pub expires_at: Option<String>,
    /// Downloads that are left.
    pub download_limit: Option<u64>,
}

/// A share that was ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndedShare {
    /// The file.
    pub file_id: String,
    /// With whom it was shared; one's own address if it stood among one's own files.
    pub email: String,
}

impl Show for RotatedKeys {
    fn human(&self) -> String {
        let mut shown = format!(
            "Keys of {} changed. Only the new recovery kit is valid; your other devices ask for the password.\n",
            text::safe(&self.email)
        );
        if !self.shares.is_empty() {
            shown += &format!("{} made anew under the new keys.\n", count(self.shares.len() as u64, "share"));
        }
        if !self.cancelled_invites.is_empty() {
            let emails: Vec<String> = self.cancelled_invites.iter().map(|email| text::safe(email)).collect();
            shown += &format!("Cancelled invites, to be made again: {}\n", emails.join(", "));
        }
        shown
    }

    fn ids(&self) -> Vec<String> {
        Vec::new()
    }
}
