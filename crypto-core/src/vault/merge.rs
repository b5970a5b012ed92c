//! Two devices wrote at once (protocol §3): the rule by which two vaults become one.
//!
//! | field | rule |
//! |---|---|
//! | pins: log, credential, pairs, files | the higher sequence; the same sequence with different heads is a conflict |
//! | petnames, queued grants | the later time; at the same time the greater encoding |
//! | invites, old seeds | all of both; two different ones under one key are a conflict |
//! | `renewed` | the higher |
//! | unknown fields | all of both; the other vault's where both have one |
//!
//! A conflict blocks: it means that somebody showed two histories. What one device removed may come back through
//! the other; invites and grants are dropped again by the rule that dropped them, and doing them twice is
//! harmless. Version and previous are the other vault's: call [`Vault::follow`] before sealing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::contents::{LogPin, Pin, Pins, Rest, Vault};

/// Two vaults of one person contradict one another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeConflict {
    /// Two heads for one size of the organisation's log.
    #[error("two devices saw different histories of the organisation")]
    Log,
    /// Two credentials for one epoch.
    #[error("two devices saw different credentials of this account")]
    Credential,
    /// Two records at one place of a pair.
    #[error("two devices saw different histories of the shares of {0}")]
    Pair(String),
    /// Two manifests for one version of a file.
    #[error("two devices saw different contents of file {0}")]
    File(String),
    /// Two invites under one id.
    #[error("two devices hold different invites {0}")]
    Invite(String),
    /// Two seeds for one generation.
    #[error("two devices hold different keys of generation {0}")]
    OldSeed(String),
}

impl MergeConflict {
    /// The stable code of this kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Log => "vault_conflict_log",
            Self::Credential => "vault_conflict_credential",
            Self::Pair(_) => "vault_conflict_pair",
            Self::File(_) => "vault_conflict_file",
            Self::Invite(_) => "vault_conflict_invite",
            Self::OldSeed(_) => "vault_conflict_old_seed",
        }
    }
}

/// Merges this device's vault with the one that got in first.
///
/// # Errors
/// [`MergeConflict`]; neither vault is changed.
pub fn merge(mine: &Vault, theirs: &Vault) -> Result<Vault, MergeConflict> {
    Ok(Vault {
        version: theirs.version,
        previous: theirs.previous,
        petnames: union(&mine.petnames, &theirs.petnames, |_, a, b| Ok(later(a, b, a.time, b.time)))?,
        pins: merge_pins(&mine.pins, &theirs.pins)?,
        invites: union(&mine.invites, &theirs.invites, |id, a, b| {
            same(a, b).ok_or_else(|| MergeConflict::Invite(id.to_string()))
        })?,
        queued: union(&mine.queued, &theirs.queued, |_, a, b| Ok(later(a, b, a.time, b.time)))?,
        old_seeds: union(&mine.old_seeds, &theirs.old_seeds, |generation, a, b| {
            same(a, b).ok_or_else(|| MergeConflict::OldSeed(generation.to_string()))
        })?,
        renewed: mine.renewed.max(theirs.renewed),
        rest: merge_rest(&mine.rest, &theirs.rest),
    })
}

fn merge_pins(mine: &Pins, theirs: &Pins) -> Result<Pins, MergeConflict> {
    Ok(Pins {
        log: merge_log(&mine.log, &theirs.log).ok_or(MergeConflict::Log)?,
        credential: higher(&mine.credential, &theirs.credential).ok_or(MergeConflict::Credential)?,
        pairs: union(&mine.pairs, &theirs.pairs, |key, a, b| {
            higher(a, b).ok_or_else(|| MergeConflict::Pair(key.to_string()))
        })?,
        files: union(&mine.files, &theirs.files, |id, a, b| {
            higher(a, b).ok_or_else(|| MergeConflict::File(id.to_string()))
        })?,
        rest: merge_rest(&mine.rest, &theirs.rest),
    })
}

fn merge_log(mine: &LogPin, theirs: &LogPin) -> Option<LogPin> {
    let pin = |log: &LogPin| Pin { sequence: log.size, head: log.head };
    let kept = higher(&pin(mine), &pin(theirs))?;
    Some(if kept == pin(theirs) { theirs.clone() } else { mine.clone() })
}

/// `None` for two heads at one sequence.
fn higher(mine: &Pin, theirs: &Pin) -> Option<Pin> {
    if mine.sequence == theirs.sequence && mine.head != theirs.head {
        return None;
    }
    Some(if mine.sequence > theirs.sequence { *mine } else { *theirs })
}

fn same<V: Clone + PartialEq>(mine: &V, theirs: &V) -> Option<V> {
    (mine == theirs).then(|| theirs.clone())
}

/// Both devices must choose alike, so equal times are decided by the encoding.
fn later<V: Clone + Serialize>(mine: &V, theirs: &V, my_time: u64, their_time: u64) -> V {
    let rank = |value: &V, time| (time, serde_json::to_vec(value).unwrap_or_default());
    if rank(mine, my_time) > rank(theirs, their_time) { mine.clone() } else { theirs.clone() }
}

fn union<K: Ord + Clone, V: Clone>(
    mine: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
    both: impl Fn(&K, &V, &V) -> Result<V, MergeConflict>,
) -> Result<BTreeMap<K, V>, MergeConflict> {
    let mut merged = theirs.clone();
    for (key, value) in mine {
        let value = match theirs.get(key) {
            Some(other) => both(key, value, other)?,
            None => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Ok(merged)
}

fn merge_rest(mine: &Rest, theirs: &Rest) -> Rest {
    let mut merged = mine.clone();
    merged.extend(theirs.clone());
    merged
}
