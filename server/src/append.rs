//! Appending to the organisation's log (protocol §5.5): the entry, the server's signature over the log with it, and
//! whatever follows from it, all in one transaction.

use sealpost_crypto::{log::Log, record::RawRecord, sign::SigningKey};

use crate::{
    db::{self, DbError, Tx, log::NewEntry},
    org_log::{Change, sign_checkpoint},
    problem::ApiError,
    restore,
    state::AppState,
};

/// An entry that was verified and stored, before anybody sees it: what follows from it is done in the same
/// transaction. Dropped, it was never there.
pub(crate) struct Appending<'a> {
    state: &'a AppState,
    tx: Tx,
    change: Change<'a>,
    checkpoint: RawRecord,
}

impl<'a> Appending<'a> {
    /// Verifies `entry`, with the bundle that it introduces, against the log and stores it. `tx` must hold
    /// [`db::Lock::Organisation`] and every other lock that what follows needs.
    pub(crate) async fn begin(
        state: &'a AppState,
        mut tx: Tx,
        entry: &RawRecord,
        bundle: Option<&RawRecord>,
    ) -> Result<Self, ApiError> {
        restore::check(&mut tx).await?;
        let mut change = state.log.change(&mut tx).await?;
        if let Err(error) = change.apply(entry.clone(), bundle.cloned()) {
            change.keep();
            return Err(ApiError::record_invalid(format!("The entry is not valid: {error}.")));
        }
        let log = change.log();
        let key = checkpoint_key(&mut tx, log).await?;
        let checkpoint = sign_checkpoint(log, &key).map_err(|error| ApiError::internal(&error))?;
        let new = NewEntry {
            sequence: log.size() - 1,
            id: log.head(),
            record: entry,
            bundle,
            checkpoint: &checkpoint,
        };
        db::log::insert(&mut tx, &new, state.clock.micros()).await?;
        Ok(Self { state, tx, change, checkpoint })
    }

    /// The transaction, for what follows from the entry.
    pub(crate) fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Makes it all durable; gives the checkpoint over the log with the entry.
    pub(crate) async fn commit(self) -> Result<RawRecord, DbError> {
        self.tx.commit().await?;
        let (size, head) = (self.change.log().size(), self.change.log().head());
        self.change.keep();
        self.state.log_mark.keep(size, head).await;
        Ok(self.checkpoint)
    }
}

/// The key that signs checkpoints of this log: the server's, or the candidate that the newest entry puts in its place.
async fn checkpoint_key(tx: &mut Tx, log: &Log) -> Result<SigningKey, DbError> {
    let keys = db::server::checkpoint_keys(tx).await?;
    let wanted = log.checkpoint_key_at(log.size());
    let mut known = [Some(keys.current), keys.next].into_iter().flatten();
    known.find(|key| Some(&key.public_key()) == wanted).ok_or(DbError::Corrupt)
}
