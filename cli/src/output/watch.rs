//! Output of watch: one line for each thing that happens. Commands say the same in passing.

use schemars::JsonSchema;
use sealpost_client::{Certified, QueueEnd, Settled, WatchEvent};
use serde::Serialize;

use super::ItemError;
use crate::{failure::Failure, printer::Show, text, time};

/// `watch`: something that happened. What an event does not concern is `null`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WatchLine {
    /// `watching`, once at the start; `certified`: somebody was admitted; `waiting`: somebody has joined and waits for
    /// `sealpost confirm`; `refused`: an answer to an invite does not verify, and nobody was admitted by it; `shared`: a queued share was completed; `dropped`: one will not be; `offline` and
    /// `online`: the server does not answer, and answers again.
    pub event: String,
    /// When.
    pub time: String,
    /// Whom it is about.
    pub email: Option<String>,
    /// Their account's id.
    pub user_id: Option<String>,
    /// Which file.
    pub file_id: Option<String>,
    /// The file's name.
    pub name: Option<String>,
    /// Why a queued share was dropped: `expired`; `file_gone`; `other_person`: they were admitted under another address
    /// or name; `account_ended`; `decided`: shared or taken back by another way.
    pub reason: Option<String>,
    /// With `offline` and `refused`: why.
    pub error: Option<ItemError>,
    /// With `offline`: seconds until the next try, at most.
    pub retry_in: Option<u64>,
}

impl WatchLine {
    /// The first line.
    pub fn watching() -> Self {
        Self::of("watching")
    }

    fn of(event: &str) -> Self {
        Self {
            event: event.to_owned(),
            time: time::rfc3339(time::now()),
            email: None,
            user_id: None,
            file_id: None,
            name: None,
            reason: None,
            error: None,
            retry_in: None,
        }
    }

    fn about(event: &str, person: Certified) -> Self {
        let (email, user_id) = (Some(person.email), Some(person.user_id.to_string()));
        Self { email, user_id, ..Self::of(event) }
    }

    fn settled(settled: Settled) -> Self {
        let reason = match settled.end {
            QueueEnd::Shared => None,
            QueueEnd::Expired => Some("expired"),
            QueueEnd::FileGone => Some("file_gone"),
            QueueEnd::OtherPerson => Some("other_person"),
            QueueEnd::AccountEnded => Some("account_ended"),
            QueueEnd::Decided => Some("decided"),
        };
        Self {
            email: Some(settled.share.email),
            user_id: Some(settled.share.user_id.to_string()),
            file_id: Some(settled.file_id.to_string()),
            name: settled.name,
            reason: reason.map(str::to_owned),
            ..Self::of(if reason.is_some() { "dropped" } else { "shared" })
        }
    }

    fn error(&self) -> String {
        self.error.as_ref().map(|error| text::safe(&error.message)).unwrap_or_default()
    }

    fn why(&self) -> &'static str {
        match self.reason.as_deref() {
            Some("expired") => "its time has run out",
            Some("file_gone") => "the file was deleted",
            Some("other_person") => "they were admitted under another address or name than it was meant for",
            Some("account_ended") => "their account has ended",
            _ => "it was shared or taken back by another way",
        }
    }
}

impl From<WatchEvent> for WatchLine {
    fn from(event: WatchEvent) -> Self {
        match event {
            WatchEvent::Certified(person) => Self::about("certified", person),
            WatchEvent::Waiting(person) => Self::about("waiting", person),
            WatchEvent::Refused { person, error } => {
                let error = Some(ItemError::from(&Failure::from(error)));
                Self { error, ..Self::about("refused", person) }
            }
            WatchEvent::Settled(settled) => Self::settled(settled),
            WatchEvent::Offline { error, wait } => {
                let error = Some(ItemError::from(&Failure::from(error)));
                Self { error, retry_in: Some(wait.as_secs()), ..Self::of("offline") }
            }
            WatchEvent::Online => Self::of("online"),
        }
    }
}

impl Show for WatchLine {
    fn human(&self) -> String {
        let email = text::safe(self.email.as_deref().unwrap_or_default());
        let file = text::safe(self.name.as_deref().or(self.file_id.as_deref()).unwrap_or_default());
        let line = match self.event.as_str() {
            "watching" => "Watching. Ctrl-C stops it.".to_owned(),
            "certified" => format!("{email} has joined: admitted."),
            "waiting" => format!("{email} has joined and waits for you: sealpost confirm {email}"),
            "shared" => format!("Shared {file} with {email}, as queued."),
            "dropped" => format!("Not shared with {email}: {file}: {}.", self.why()),
            "refused" => format!("Not admitted: {}.", self.error()),
            "offline" => format!("The server does not answer ({}); trying again.", self.error()),
            _ => "The server answers again.".to_owned(),
        };
        line + "\n"
    }

    fn ids(&self) -> Vec<String> {
        match self.event.as_str() {
            "certified" => self.user_id.iter().cloned().collect(),
            "shared" => self.file_id.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }
}
