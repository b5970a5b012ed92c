//! The organisation's log on this device: fetched in pages, every entry verified against the state before it,
//! pinned (protocol §5).

use sealpost_api::{
    limits::MAX_LOG_PAGE,
    log::{LogEntry, LogPage, LogQuery, LogSeen},
    routes,
};
use sealpost_crypto::{
    fork,
    id::{OrgId, RecordId},
    log::{Log, PositionError},
    record::RawRecord,
    records::LogPosition,
    vault::LogPin,
};
use serde::{Deserialize, Serialize};

use crate::{
    caller::Caller,
    device::Device,
    error::{Error, ErrorKind, Result},
    server::Call,
};

const BLOB: &str = "log";

#[derive(Serialize, Deserialize)]
struct StoredLog {
    entries: Vec<LogEntry>,
    checkpoint: RawRecord,
}

/// The log as this device last verified it. Replayed with every check: a damaged folder is noticed.
pub(crate) fn load(device: &Device, org_id: OrgId) -> Result<Option<Log>> {
    let Some(StoredLog { entries, checkpoint }) = device.load::<StoredLog>(BLOB)? else { return Ok(None) };
    let damaged = |_| Error::state("the state folder's \"log\" is damaged");
    let mut log = None;
    extend(&mut log, &entries, org_id).map_err(damaged)?;
    let Some(mut log) = log else { return Ok(None) };
    log.accept_checkpoint(checkpoint).map_err(Error::from).map_err(damaged)?;
    Ok(Some(log))
}

/// Keeps the log: from now on this device accepts nothing older.
pub(crate) fn save(device: &Device, log: &Log) -> Result<()> {
    let Some(checkpoint) = log.checkpoint() else { return Ok(()) };
    let entries =
        log.entries(0).map(|entry| LogEntry { record: entry.record, bundle: entry.bundle }).collect();
    let _guard = device.hold(BLOB)?;
    // Another process of this device may have kept a longer one meanwhile.
    let kept = device.load::<StoredLog>(BLOB)?;
    if kept.is_some_and(|kept| kept.entries.len() as u64 > log.size()) {
        return Ok(());
    }
    device.save(BLOB, &StoredLog { entries, checkpoint: checkpoint.raw().clone() })
}

/// Fetches what the server has beyond `known` and verifies it. A log of another organisation, one that goes
/// back, differs from what was seen, or is not signed, is refused.
pub(crate) async fn sync(caller: &Caller, known: Option<Log>, org_id: OrgId) -> Result<Log> {
    let mut log = known;
    loop {
        let from = log.as_ref().map_or(0, Log::size);
        let query = LogQuery { from, limit: Some(MAX_LOG_PAGE) };
        let page: LogPage = caller.query(Call::new(routes::LOG, &[]), &query).await?;
        let is_last = page.entries.len() < MAX_LOG_PAGE as usize;
        if let Err(error) = extend(&mut log, &page.entries, org_id) {
            let grew = log.as_ref().map_or(0, Log::size) > from;
            return Err(if grew { error } else { other_way(log.as_ref(), page, error) });
        }
        let Some(log) = &mut log else {
            return Err(Error::verification("log_incomplete", "the server shows no log"));
        };
        if is_last {
            if let Err(error) = log.accept_checkpoint(page.checkpoint) {
                return Err(report(caller, log, error.into()).await);
            }
            return Ok(log.clone());
        }
    }
}

/// A server that shows less than it has shown is presented what it has signed: if its database was restored from a backup,
/// it learns so, and appends nothing before its operator has looked. Whether it listens changes nothing here.
async fn report(caller: &Caller, log: &Log, error: Error) -> Error {
    let Some(seen) = log.checkpoint().filter(|_| error.code() == "log_rollback") else { return error };
    let body = LogSeen { checkpoint: seen.raw().clone() };
    let _heard = caller.post_empty(Call::new(routes::LOG_SEEN, &[]), Some(&body)).await;
    error.with_hint(
        "Nothing was used. Ask whoever runs the server, by another way than this server: it was restored from an older \
         backup, or it lies.",
    )
}

/// The log must contain a state that the account has sealed.
pub(crate) fn check_extends(log: &Log, size: u64, head: RecordId) -> Result<()> {
    if log.head_at(size) == Some(head) {
        return Ok(());
    }
    Err(Error::verification(
        "log_rollback",
        "the server shows an older or another log than your account knows",
    ))
}

/// As [`check_extends`], for what the vault has pinned. The server signed that: another history is a fork.
pub(crate) fn check_pin(log: &Log, pin: LogPin) -> Result<()> {
    let LogPin { size, head, signature } = pin;
    match log.verify_position(&LogPosition { size, head, signature }) {
        Err(fork @ PositionError::Fork(_)) => Err(fork.into()),
        // The founder's first vault pins what no server had signed yet.
        _ => check_extends(log, size, head),
    }
}

/// Runs `attempt` again when its outcome names a log state beyond ours: the log may have grown between our sync
/// and the answer. What is still beyond it then, the server withholds.
pub(crate) async fn again_if_behind<T, F>(
    is_behind: impl Fn(&Result<T>) -> bool,
    attempt: impl Fn() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let outcome = attempt().await;
    if is_behind(&outcome) { attempt().await.map_err(withheld) } else { outcome }
}

/// What is still beyond our log after another sync: entries that somebody signed for and the server will not give, or a
/// state that it never signed.
pub(crate) fn withheld(error: Error) -> Error {
    if !is_behind(&error) {
        return error;
    }
    match error.code() {
        "log_behind" => Error::verification(
            "log_withheld",
            "somebody has seen a newer history of the organisation than the server shows here",
        )
        .with_hint(
            "The server withholds entries, or was restored from an old backup. Tell whoever runs it, and the sender.",
        ),
        "position_unproven" => {
            Error::verification("position_malformed", "the record names a log state that the server never signed")
        }
        _ => error,
    }
}

/// Entries that follow another head than ours: a fork, if the server signed them.
fn other_way(log: Option<&Log>, page: LogPage, error: Error) -> Error {
    let Some(log) = log.filter(|_| error.code() == "log_previous") else { return error };
    let entries = page.entries.into_iter().map(|entry| entry.record).collect();
    match fork::diverging(log, entries, page.checkpoint) {
        Some(fork) => PositionError::Fork(Box::new(fork)).into(),
        None => error,
    }
}

/// Whether a record names a log state that ours has not reached. A finding of our own: a server that gives its answers such
/// a code would have us suspect the record's author.
pub(crate) fn is_behind(error: &Error) -> bool {
    error.kind() == ErrorKind::Verification && matches!(error.code(), "log_behind" | "position_unproven")
}

fn extend(log: &mut Option<Log>, entries: &[LogEntry], org_id: OrgId) -> Result<()> {
    for entry in entries.iter().cloned() {
        match log {
            Some(log) => {
                log.apply(entry.record, entry.bundle)?;
            }
            None => *log = Some(begin(entry, org_id)?),
        }
    }
    Ok(())
}

fn begin(genesis: LogEntry, org_id: OrgId) -> Result<Log> {
    let bundle = genesis
        .bundle
        .ok_or_else(|| Error::verification("log_incomplete", "the server withholds the founder's keys"))?;
    let log = Log::found(genesis.record, bundle)?;
    if log.org_id() == org_id {
        Ok(log)
    } else {
        Err(Error::verification("foreign_organisation", "the server shows the log of another organisation"))
    }
}
