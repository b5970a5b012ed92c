//! Who is in the organisation: addresses and names, each verified against what was certified in the log.

use std::collections::{HashMap, HashSet};

use sealpost_api::{
    account::{AccountStatus, MemberView},
    limits::MAX_PAGE,
    paging::{Page, PageQuery},
    routes,
};
use sealpost_crypto::{
    email::EmailAddress,
    id::UserId,
    log::{Log, Member},
    opening::{Opening, VerifiedOpening},
};

use crate::{
    caller::Caller,
    contacts::KeysChanged,
    error::{Error, ErrorKind, Result},
    pages,
    server::Call,
};

/// A member as the organisation certified them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub user_id: UserId,
    /// Verified address.
    pub email: String,
    /// Verified name; empty for Clients. May hold any printable text.
    pub name: String,
}

/// How an account came that took the place of another one of the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// Who admitted it, by the log.
    pub invited_by: Option<Person>,
    /// When, by the server's word; UTC seconds.
    pub since: Option<u64>,
}

/// Verified openings of everybody that the server may show us, and addresses it says are pending.
pub(crate) struct Directory {
    openings: HashMap<UserId, VerifiedOpening>,
    /// Unverified: only ever used to explain why somebody can't be reached.
    pending: HashSet<EmailAddress>,
    /// When accounts were certified, by the server's word.
    certified_at: HashMap<UserId, u64>,
    /// When accounts last changed their keys, by the server's word.
    rotated_at: HashMap<UserId, u64>,
}

impl Directory {
    /// Fetches and verifies. One opening that does not agree with the log spoils all: the server relabels people.
    pub(crate) async fn fetch(caller: &Caller, log: &Log) -> Result<Self> {
        let mut directory = Self {
            openings: HashMap::new(),
            pending: HashSet::new(),
            certified_at: HashMap::new(),
            rotated_at: HashMap::new(),
        };
        let fetch = |cursor| async move {
            let query = PageQuery { cursor, limit: Some(MAX_PAGE) };
            caller.query::<Page<MemberView>>(Call::new(routes::MEMBERS, &[]), &query).await
        };
        for member in pages::all(fetch).await? {
            directory.add(member, log)?;
        }
        Ok(directory)
    }

    fn add(&mut self, member: MemberView, log: &Log) -> Result<()> {
        if log.member(member.opening.user_id).is_some() {
            let opening = log.verify_opening(member.opening)?;
            self.certified_at.extend(member.certified_at.map(|time| (opening.user_id(), time)));
            self.rotated_at.extend(member.rotated_at.map(|time| (opening.user_id(), time)));
            self.openings.insert(opening.user_id(), opening);
        } else if member.status != AccountStatus::Revoked {
            // Also whom the server calls active: certified since our log was synced.
            self.pending.insert(member.opening.email);
        }
        Ok(())
    }

    /// The account behind an address, by verified openings only.
    pub(crate) fn resolve(&self, log: &Log, email: &EmailAddress) -> Result<UserId> {
        match log.resolve(self.openings.values(), email) {
            Ok(member) => Ok(member.member().user_id),
            Err(_) if self.pending.contains(email) => Err(pending(email)),
            Err(error) if error.code() == "recipient_unknown" && !self.former(log, email).is_empty() => {
                Err(ended(email))
            }
            Err(error) if error.code() == "recipient_unknown" => Err(unknown(email)),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Directory::resolve`]; where nobody has the address now, the account that had it last.
    pub(crate) fn resolve_former(&self, log: &Log, email: &EmailAddress) -> Result<UserId> {
        match self.resolve(log, email) {
            Err(error) if error.code() == "recipient_ended" => {
                self.former(log, email).first().copied().ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// The accounts that had an address and have ended, the latest first.
    pub(crate) fn former(&self, log: &Log, email: &EmailAddress) -> Vec<UserId> {
        let with_address = self.openings.values().filter(|opening| opening.email() == email);
        let ended = with_address.filter_map(|opening| {
            let ended = log.member(opening.user_id())?.ended?;
            Some((ended.sequence, opening.user_id()))
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable_by(|a, b| b.cmp(a));
        ended.into_iter().map(|(_, user_id)| user_id).collect()
    }

    /// Somebody certified; `None` if the server does not show them to us.
    pub(crate) fn person(&self, user_id: UserId) -> Option<Person> {
        self.openings.get(&user_id).map(Person::from)
    }

    /// Whether an account has, or had, this address.
    pub(crate) fn has_address(&self, user_id: UserId, email: &EmailAddress) -> bool {
        self.openings.get(&user_id).is_some_and(|opening| opening.email() == email)
    }

    /// What the server shows of everybody certified, verified.
    pub(crate) fn openings(&self) -> impl Iterator<Item = &Opening> {
        self.openings.values().map(VerifiedOpening::opening)
    }

    /// How an account came, if it took the place of another one.
    pub(crate) fn succession(&self, log: &Log, user_id: UserId) -> Option<Succession> {
        let member = log.member(user_id).filter(|member| member.replaces.is_some())?;
        let since = self.certified_at.get(&user_id).copied();
        Some(Succession { invited_by: self.person(member.certified_by), since })
    }

    /// When somebody last changed their keys, if they ever did.
    pub(crate) fn keys_changed(&self, member: &Member) -> Option<KeysChanged> {
        let keys = member.current();
        let at = self.rotated_at.get(&member.user_id).copied();
        (keys.number > 1).then_some(KeysChanged { generation: keys.number, log_size: keys.since, at })
    }

    /// Everybody certified whom the server shows to us, in no order.
    pub(crate) fn people(&self) -> impl Iterator<Item = Person> + '_ {
        self.openings.values().map(Person::from)
    }
}

impl From<&VerifiedOpening> for Person {
    fn from(opening: &VerifiedOpening) -> Self {
        let (email, name) = (opening.email().as_str().to_owned(), opening.name().to_owned());
        Self { user_id: opening.user_id(), email, name }
    }
}

fn pending(email: &EmailAddress) -> Error {
    let message = format!("{email} was invited and has not been admitted yet");
    Error::new(ErrorKind::RecipientPending, "recipient_pending", message).with_hint(
        "They join with their invite code first; then any command of the Ops member who invited them admits them.",
    )
}

fn unknown(email: &EmailAddress) -> Error {
    Error::new(
        ErrorKind::RecipientUnknown,
        "recipient_unknown",
        format!("nobody in the organisation has the address {email}"),
    )
    .with_hint("Check the address, or invite them: `sealpost invite EMAIL`.")
}

fn ended(email: &EmailAddress) -> Error {
    let message = format!("{email} is not a member of the organisation any more");
    Error::new(ErrorKind::RecipientUnknown, "recipient_ended", message).with_hint(
        "Nothing more can be shared with them. To have them back, invite them: `sealpost invite EMAIL`.",
    )
}
