//! Output of evidence and verify-evidence.

use schemars::JsonSchema;
use serde::Serialize;

use super::size;
use crate::{printer::Show, text};

/// `evidence`: the members of `verify-evidence`, and these.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WrittenEvidence {
    /// Where it is.
    pub path: String,
    /// Whether the file's key is in it.
    pub disclosed: bool,
    /// What it proves.
    #[serde(flatten)]
    pub evidence: EvidenceReport,
}

/// `verify-evidence`, of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EvidenceReport {
    /// Always true: what does not hold is an error.
    pub valid: bool,
    /// The organisation that was trusted.
    pub org_id: String,
    /// Its name.
    pub org_name: String,
    /// Entries of the organisation's log that were seen: nothing is known of what came later.
    pub log_size: u64,
    /// The log's head, signed by the server.
    pub log_head: String,
    /// The file's id.
    pub file_id: String,
    /// Its version.
    pub version: u64,
    /// Names exactly this content: the id of what its owner signed.
    pub manifest: String,
    /// Bytes of ciphertext.
    pub stored_size: u64,
    /// When it was sealed, by the sender's clock.
    pub sealed_at: String,
    /// Name and size, if the file's key is disclosed.
    pub file: Option<DisclosedFile>,
    /// `same` if a file was compared; another file is an error.
    pub content: Option<String>,
    /// Who sealed and signed it.
    pub sender: ProvenParty,
    /// To whom, and what came of it.
    pub deliveries: Vec<ProvenShare>,
}

/// What the file's key opens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DisclosedFile {
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Media type, or empty.
    pub media_type: String,
    /// The owner's note, or empty.
    pub note: String,
}

/// Somebody as the organisation certified them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProvenParty {
    /// The account.
    pub user_id: String,
    /// E-mail address.
    pub email: String,
    /// Name, or empty.
    pub name: String,
    /// `ops` or `client`.
    pub role: String,
    /// The account of whoever admitted them, on whose word name and address rest.
    pub certified_by: String,
}

/// A share to one person.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProvenShare {
    /// To whom.
    pub recipient: ProvenParty,
    /// The id of what the sender signed.
    pub share: String,
    /// When, by the sender's clock.
    pub shared_at: String,
    /// When the server was to refuse.
    pub expires_at: Option<String>,
    /// How many downloads the server was to allow.
    pub download_limit: Option<u64>,
    /// Entries of the log that the sender knew then.
    pub log_size: u64,
    /// `receipt`: the recipient's key signed that every byte arrived; or only the `sending`.
    pub proves: String,
    /// What weakens it: names as docs/protocol.md §14.3 has them.
    pub marks: Vec<String>,
    /// By time.
    pub receipts: Vec<ProvenReceipt>,
}

/// A receipt.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProvenReceipt {
    /// The id of what the recipient signed.
    pub receipt: String,
    /// When, by the recipient's clock.
    pub time: String,
    /// Entries of the log that the recipient knew then.
    pub log_size: u64,
    /// What weakens it.
    pub mark: Option<String>,
}

/// `verify-evidence`, of two histories.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ForkReport {
    /// Always true: what is not proven is an error.
    pub proven: bool,
    /// The organisation that was trusted.
    pub org_id: String,
    /// Its name.
    pub org_name: String,
    /// A number of entries after which the histories differ.
    pub size: u64,
    /// The two heads at that size.
    pub heads: Vec<String>,
    /// What the server signed.
    pub statements: Vec<ForkStatement>,
}

/// A checkpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ForkStatement {
    /// How many entries.
    pub size: u64,
    /// The last one.
    pub head: String,
}

impl Show for WrittenEvidence {
    fn human(&self) -> String {
        let deliveries: String = self.evidence.deliveries.iter().map(ProvenShare::line).collect();
        format!("{}  evidence of {}\n{deliveries}", text::safe(&self.path), self.evidence.file_id)
    }

    fn ids(&self) -> Vec<String> {
        vec![self.path.clone()]
    }
}

impl Show for EvidenceReport {
    fn human(&self) -> String {
        let mut shown = format!(
            "VALID, for whoever trusts the organisation {}\n  {} ({} of its log)\n\n",
            self.org_id,
            text::safe(&self.org_name),
            entries(self.log_size),
        );
        shown += &format!("  file       {}, version {}\n", self.file_id, self.version);
        shown += &self.disclosed();
        shown += &format!("  sender     {}, sealed {}\n", self.sender.human(), self.sealed_at);
        let deliveries: String = self.deliveries.iter().map(ProvenShare::line).collect();
        shown
            + &deliveries
            + "\nProved:\n"
            + &bullets(&self.proved())
            + "\nNot proved:\n"
            + &bullets(&self.not_proved())
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}

impl EvidenceReport {
    fn disclosed(&self) -> String {
        match &self.file {
            Some(file) => format!("             {}, {}\n", text::safe(&file.name), size(file.size)),
            None => format!("             name not disclosed, {} of ciphertext\n", size(self.stored_size)),
        }
    }

    fn proved(&self) -> Vec<String> {
        let sender = text::safe(&self.sender.email);
        let mut proved = Vec::new();
        for delivery in &self.deliveries {
            let recipient = text::safe(&delivery.recipient.email);
            proved.push(format!(
                "The holder of the key that was certified for {sender} sealed exactly this file for the key that was \
                 certified for {recipient}, and signed for it."
            ));
            if delivery.proves == "receipt" {
                proved.push(format!(
                    "The holder of the key that was certified for {recipient} signed that every byte of exactly this \
                     file arrived and was verified."
                ));
            }
        }
        if self.content.is_some() {
            proved.push("The file given is, byte for byte, the one that was delivered.".to_owned());
        }
        proved
    }

    fn not_proved(&self) -> Vec<String> {
        let mut open = vec![
            "That a person read it: a receipt is signed by whoever, or whatever, holds the key.".to_owned(),
            "Who these people are: names and addresses rest on the word of whoever invited them.".to_owned(),
            "The times: each is the claim of whoever signed.".to_owned(),
            format!(
                "What came after the log's first {}: somebody may have been revoked since.",
                entries(self.log_size)
            ),
        ];
        if self.content.is_none() {
            open.push("Which content it is: no file was compared (--file).".to_owned());
        }
        for delivery in &self.deliveries {
            let recipient = text::safe(&delivery.recipient.email);
            open.extend(delivery.marks.iter().map(|mark| sentence(mark, &recipient)));
        }
        open.dedup();
        open
    }
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{number} entries") }
}

/// What a mark means to whoever weighs the evidence.
fn sentence(mark: &str, recipient: &str) -> String {
    match mark {
        "sender_key_retired" => {
            "That it is not backdated: the sender has other keys since; whoever got hold of the old ones could, with the \
             server, have signed it later."
                .to_owned()
        }
        "sender_left" => "That it is not backdated: the sender has left since.".to_owned(),
        "sender_admitted_by_compromised" => {
            "Who the sender is: the keys of whoever admitted them may be in other hands.".to_owned()
        }
        "recipient_admitted_by_compromised" => {
            format!("Who {recipient} is: the keys of whoever admitted them may be in other hands.")
        }
        "no_receipt" => format!("That it arrived at {recipient}: there is no receipt, which means nothing."),
        "receipt_key_retired" => format!("That the receipt of {recipient} is not backdated: they have other keys since."),
        "receipt_signer_left" => format!("That the receipt of {recipient} is not backdated: they have left since."),
        "receipt_signer_compromised" => {
            format!("That it arrived at {recipient}: their keys may be in other hands, so the receipt does not count.")
        }
        other => format!("{recipient}: {}", other.replace('_', " ")),
    }
}

fn bullets(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("  - {sentence}\n")).collect()
}

impl ProvenParty {
    fn human(&self) -> String {
        match self.name.as_str() {
            "" => text::safe(&self.email),
            name => format!("{} <{}>", text::safe(name), text::safe(&self.email)),
        }
    }
}

impl ProvenShare {
    fn line(&self) -> String {
        let receipt = match (self.proves.as_str(), self.receipts.first()) {
            ("receipt", Some(receipt)) => format!("receipt {}", receipt.time),
            _ => "no receipt that counts: the sending only".to_owned(),
        };
        format!("  recipient  {}, shared {}, {receipt}\n", self.recipient.human(), self.shared_at)
    }
}

impl Show for ForkReport {
    fn human(&self) -> String {
        let [one, other] = [0, 1].map(|at| self.heads.get(at).map_or("", String::as_str));
        let signed =
            |signed: &ForkStatement| format!("  signed     {} as entry {}\n", signed.head, signed.size);
        let statements: String = self.statements.iter().map(signed).collect();
        format!(
            "PROVEN: the server of {}, organisation {}, signed two different histories.\n  after {}\n  one says   {one}\n  \
             other says {other}\n{statements}",
            text::safe(&self.org_name),
            self.org_id,
            entries(self.size),
        )
    }

    fn ids(&self) -> Vec<String> {
        self.heads.clone()
    }
}

#[cfg(test)]
mod tests {
    use sealpost_client::Mark;

    use super::*;

    #[test]
    fn every_mark_has_a_sentence() {
        for mark in Mark::ALL {
            let sentence = sentence(mark.code(), "carl@client.example");
            // A mark without one is told by its code, behind the address.
            assert!(sentence.ends_with('.') && !sentence.starts_with("carl@client.example: "), "{sentence}");
        }
    }
}
