//! The history of shares and unshares between two people (protocol §4, §5): synced, verified, pinned. A record
//! that the server leaves out leaves a gap; a share that was ended can't come back.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};

use sealpost_api::{
    file::{Direction, PairPage, PairQuery},
    limits::MAX_PAGE,
    routes,
};
use sealpost_crypto::{
    id::{RecordId, UserId},
    log::{Log, StandingError},
    pair::{PairEntry, PairError, PairState},
    vault::{PairKey, Pin},
};

use tokio::sync::OwnedRwLockReadGuard;

use crate::{
    error::{Error, Result},
    log_sync,
    server::Call,
    signed_in::Inner,
    store::StoreGuard,
};

/// How often the log is synced because a record names a newer one, while others keep changing it. After that, the server
/// withholds it.
const SYNCS: u32 = 8;

/// Histories that one operation has synced: a list asks for each sender once.
#[derive(Default)]
pub(crate) struct Pairs {
    received: HashMap<UserId, PairState>,
    /// Of what we sent to somebody, every record that counts (§5.4), also those of shares that are over.
    sent: HashMap<UserId, HashSet<RecordId>>,
}

impl Pairs {
    /// The verified history of what `sender` shared with us, at least as far as `sequence`.
    pub(crate) async fn received(
        &mut self,
        inner: &Inner,
        log: &Log,
        sender: UserId,
        sequence: u64,
    ) -> Result<&PairState> {
        if self.received.get(&sender).is_none_or(|known| known.sequence() < sequence) {
            let key = PairKey { sender, recipient: inner.profile.user_id };
            self.received.insert(sender, inner.sync_pair(log, key).await?);
        }
        self.received.get(&sender).ok_or_else(|| Error::internal("no history"))
    }

    /// Whether a record of ours stands in the verified history of what we sent to `recipient`, and counts. Asked only of
    /// records that rotated keys signed: it takes the whole history.
    pub(crate) async fn sent_counts(
        &mut self,
        inner: &Inner,
        log: &Log,
        recipient: UserId,
        id: RecordId,
    ) -> Result<bool> {
        let counted = match self.sent.entry(recipient) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(inner.counted_records(log, recipient).await?),
        };
        Ok(counted.contains(&id))
    }
}

impl Inner {
    /// Held while records of ours are signed and sent: no two processes of this device sign for one place.
    pub(crate) async fn signing(&self) -> Result<Box<dyn StoreGuard>> {
        self.device.lock("signing").await
    }

    /// The verified history of what we shared with `recipient`.
    pub(crate) async fn sent_pair(&self, log: &Log, recipient: UserId) -> Result<PairState> {
        let key = PairKey { sender: self.profile.user_id, recipient };
        self.resend_pair_record(&key).await?;
        self.sync_pair(log, key).await
    }

    /// The newest log, and the verified history of what we shared with whoever `resolve` finds in it.
    pub(crate) async fn newest_sent_pair(
        &self,
        resolve: &(dyn Fn(&Log) -> Result<UserId> + Sync),
    ) -> Result<(OwnedRwLockReadGuard<Log>, PairState)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let log = self.ops_log().await?;
            let recipient = resolve(&log)?;
            match self.sent_pair(&log, recipient).await {
                // Another device of ours may have signed under a log that has grown since.
                Err(error) if log_sync::is_behind(&error) && tries < SYNCS => {}
                outcome => return Ok((log, outcome.map_err(log_sync::withheld)?)),
            }
        }
    }

    /// The newest log, and the verified histories of what we shared with these people.
    pub(crate) async fn newest_sent_pairs(
        &self,
        recipients: &BTreeSet<UserId>,
    ) -> Result<(OwnedRwLockReadGuard<Log>, Vec<PairState>)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let log = self.ops_log().await?;
            match self.sent_pairs(&log, recipients).await {
                Err(error) if log_sync::is_behind(&error) && tries < SYNCS => {}
                outcome => return Ok((log, outcome.map_err(log_sync::withheld)?)),
            }
        }
    }

    async fn sent_pairs(&self, log: &Log, recipients: &BTreeSet<UserId>) -> Result<Vec<PairState>> {
        let mut pairs = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            pairs.push(self.sent_pair(log, *recipient).await?);
        }
        Ok(pairs)
    }

    /// The verified records that lead from one state of a pair to a later one that is known.
    pub(crate) async fn pair_between(
        &self,
        log: &Log,
        mut from: PairState,
        to: &PairState,
    ) -> Result<Vec<PairEntry>> {
        let key = PairKey { sender: to.sender(), recipient: to.recipient() };
        let mut entries = Vec::new();
        while from.sequence() < to.sequence() {
            let before = from.sequence();
            for raw in self.pair_page(&key, before).await?.records {
                let entry = PairEntry::verify(raw, log).map_err(|error| self.keep_fork(log, error.into()))?;
                if from.sequence() < to.sequence() {
                    from.apply(&entry)?;
                    entries.push(entry);
                }
            }
            if from.sequence() == before {
                return Err(rollback());
            }
        }
        if from.head() == to.head() {
            return Ok(entries);
        }
        let (sequence, ours, theirs) = (to.sequence(), to.head(), from.head());
        Err(PairError::Conflict { sequence, ours, theirs }.into())
    }

    /// A history of ours in which the next share may be signed: that vouches for all before it (§5.4, rule (b)), so
    /// nothing must be in force there that only rotated keys of ours vouch for.
    pub(crate) fn to_sign(pair: PairState) -> Result<PairState> {
        if pair.uncounted_live().next().is_none() { Ok(pair) } else { Err(StandingError::Rotated.into()) }
    }

    /// With whom our own history begins, by the vault and by this device; ourselves too.
    pub(crate) async fn sent_to(&self) -> Result<Vec<UserId>> {
        let me = self.profile.user_id;
        let vault = self.vault().await?;
        let mut recipients: Vec<UserId> =
            vault.pairs().filter(|pair| pair.sender == me).map(|pair| pair.recipient).collect();
        if !recipients.contains(&me) {
            recipients.push(me);
        }
        Ok(recipients)
    }

    /// The ids of all records that we sent to `recipient`, from the first to the last that counts, and of what we ended
    /// because it did not.
    async fn counted_records(&self, log: &Log, recipient: UserId) -> Result<HashSet<RecordId>> {
        let key = PairKey { sender: self.profile.user_id, recipient };
        let known = self.sync_pair(log, key).await?;
        let (mut state, mut ids) = (PairState::new(key.sender, key.recipient), Vec::new());
        let mut ended = Vec::new();
        while state.sequence() < known.sequence() {
            let page = self.pair_page(&key, state.sequence()).await?;
            if page.records.is_empty() {
                return Err(rollback());
            }
            for raw in page.records {
                let entry = PairEntry::verify(raw, log).map_err(|error| self.keep_fork(log, error.into()))?;
                state.apply(&entry)?;
                if state.sequence() == known.sequence() {
                    check_pin(&state, Some(Pin { sequence: known.sequence(), head: known.head() }))?;
                }
                ids.push(entry.id());
                ended.extend(entry.ends_for_sure());
            }
        }
        ids.truncate(usize::try_from(known.counted().max(state.counted())).unwrap_or(usize::MAX));
        Ok(ids.into_iter().chain(ended).collect())
    }

    async fn sync_pair(&self, log: &Log, key: PairKey) -> Result<PairState> {
        let known = self.device.load(&blob(&key))?;
        let mut state = known.unwrap_or_else(|| PairState::new(key.sender, key.recipient));
        let pin = self.vault().await?.pair(&key);
        let before = state.sequence();
        loop {
            let page = self.pair_page(&key, state.sequence()).await?;
            if page.newest < state.sequence() {
                return Err(rollback());
            }
            for raw in page.records.iter().cloned() {
                let entry = PairEntry::verify(raw, log).map_err(|error| self.keep_fork(log, error.into()))?;
                state.apply(&entry)?;
                check_pin(&state, pin)?;
                // What is in our own vault, we have put there: one device of ours vouches for the others.
                if key.sender == self.profile.user_id
                    && pin.is_some_and(|pin| pin.sequence == state.sequence())
                {
                    state.vouch();
                }
            }
            if page.records.is_empty() || state.sequence() >= page.newest {
                break;
            }
        }
        if pin.is_some_and(|pin| pin.sequence > state.sequence()) {
            return Err(rollback());
        }
        if state.sequence() > before {
            self.pin_pair(&key, &state).await?;
        }
        Ok(state)
    }

    /// Keeps a longer history: nothing shorter is accepted from now on.
    pub(crate) async fn pin_pair(&self, key: &PairKey, state: &PairState) -> Result<()> {
        self.keep_longer(key, state)?;
        // What our vault pins of our own history vouches for it, to all our devices.
        if key.sender != self.profile.user_id || state.uncounted_live().next().is_none() {
            let pin = Pin { sequence: state.sequence(), head: state.head() };
            self.vault().await?.pin_pair(*key, pin);
        }
        Ok(())
    }

    /// Another process of this device may have kept a longer one meanwhile.
    fn keep_longer(&self, key: &PairKey, state: &PairState) -> Result<()> {
        let _guard = self.device.hold("pairs")?;
        let kept: Option<PairState> = self.device.load(&blob(key))?;
        if kept.is_some_and(|kept| kept.sequence() > state.sequence()) {
            return Ok(());
        }
        self.device.save(&blob(key), state)
    }

    async fn pair_page(&self, key: &PairKey, after: u64) -> Result<PairPage> {
        let (direction, other) = if key.sender == self.profile.user_id {
            (Direction::Sent, key.recipient)
        } else {
            (Direction::Received, key.sender)
        };
        let query = PairQuery { direction, after, limit: Some(MAX_PAGE) };
        self.caller.query(Call::new(routes::PAIR, &[&other]), &query).await
    }
}

fn check_pin(state: &PairState, pin: Option<Pin>) -> Result<()> {
    match pin {
        Some(pin) if pin.sequence == state.sequence() && pin.head != state.head() => {
            Err(PairError::Conflict { sequence: pin.sequence, ours: pin.head, theirs: state.head() }.into())
        }
        _ => Ok(()),
    }
}

fn rollback() -> Error {
    Error::verification(
        "pair_rollback",
        "the server shows fewer shares between two people than it has shown before",
    )
}

fn blob(key: &PairKey) -> String {
    format!("pair-{}-{}", key.sender, key.recipient)
}
