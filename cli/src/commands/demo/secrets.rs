//! Collects what must never be on the server, as the story goes on.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use sealpost_client::store::{FolderStore, StateStore};
use zeroize::Zeroizing;

use super::search::{MIN_NEEDLE, Needle};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// Pieces taken from each file.
const PIECES: u64 = 8;
/// Length of a piece, bytes.
const PIECE: usize = 32;
/// A piece with fewer different bytes (zeros, spaces) may stand anywhere by chance.
const MIN_DISTINCT: usize = 12;

/// What must never be on the server.
#[derive(Default)]
pub struct Secrets {
    /// The secrets.
    pub needles: Vec<Needle>,
    /// What is too short or too plain to be looked for.
    pub skipped: Vec<String>,
}

impl Secrets {
    /// Adds one; what is too short to mean anything is said to be left out.
    pub fn add(&mut self, label: impl Into<String>, bytes: impl AsRef<[u8]>) {
        let needle = Needle::new(label, bytes);
        if needle.bytes.len() < MIN_NEEDLE {
            self.skipped.push(format!("{} (shorter than {MIN_NEEDLE} bytes)", needle.label));
        } else {
            self.needles.push(needle);
        }
    }

    /// Adds a file's name and pieces of its content, spread over all of it.
    pub fn add_file(&mut self, path: &Path) -> Outcome {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pieces = pieces(path).map_err(|error| Failure::local("read", path, &error))?;
        if pieces.is_empty() {
            self.skipped.push(format!("content of {name} (too short, or all alike)"));
        }
        for (position, piece) in pieces {
            self.add(format!("content of {name} at byte {position}"), &piece[..]);
        }
        self.add(format!("name {name}"), name.as_bytes());
        Ok(())
    }

    /// Adds what a person's device keeps: account seed, account key, session tokens.
    pub fn add_device(&mut self, person: &str, device: &FolderStore) -> Outcome {
        self.add(format!("{person}'s account seed"), load(device, "seed")?);
        if let Some(key) = device.load("account-key")? {
            self.add(format!("{person}'s account key"), key);
        }
        let session: serde_json::Value =
            serde_json::from_slice(&load(device, "session")?).map_err(|_| missing("session"))?;
        for token in ["access_token", "refresh_token"] {
            let text = session["value"][token].as_str().ok_or_else(|| missing(token))?;
            self.add(format!("{person}'s {}", token.replace('_', " ")), text);
        }
        Ok(())
    }

    /// Leaves out what the server had before anything was delivered: then it says nothing about the delivery.
    pub fn forget(&mut self, labels: &HashSet<&str>) {
        let (known, secret) =
            self.needles.drain(..).partition(|needle| labels.contains(needle.label.as_str()));
        self.needles = secret;
        let known: Vec<Needle> = known;
        self.skipped
            .extend(known.into_iter().map(|needle| format!("{} (part of every server)", needle.label)));
    }
}

fn load(device: &FolderStore, name: &'static str) -> Outcome<Zeroizing<Vec<u8>>> {
    device.load(name)?.ok_or_else(|| missing(name))
}

/// A search for nothing finds nothing: then the demo must fail.
fn missing(what: &str) -> Failure {
    Failure::new(Exit::Verification, "demo_secret", format!("the demo can't find {what:?} to look for it"))
}

type Piece = (u64, Zeroizing<[u8; PIECE]>);

fn pieces(path: &Path) -> io::Result<Vec<Piece>> {
    let mut file = File::open(path)?;
    let Some(last) = file.metadata()?.len().checked_sub(PIECE as u64) else { return Ok(Vec::new()) };
    let mut pieces: Vec<Piece> = Vec::new();
    for position in
        (0..PIECES).map(|index| (u128::from(last) * u128::from(index) / u128::from(PIECES - 1)) as u64)
    {
        let mut piece = Zeroizing::new([0; PIECE]);
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut piece[..])?;
        let distinct = piece.iter().collect::<HashSet<_>>().len();
        if distinct >= MIN_DISTINCT && !pieces.iter().any(|(_, known)| *known == piece) {
            pieces.push((position, piece));
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces_of(content: &[u8]) -> Vec<Piece> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, content).unwrap();
        pieces(&path).unwrap()
    }

    #[test]
    fn pieces_are_spread_from_the_first_byte_to_the_last() {
        let content: Vec<u8> = (0..40_000u32).map(|number| (number % 251) as u8).collect();
        let pieces = pieces_of(&content);
        assert_eq!(pieces.len(), 8);
        assert_eq!((pieces[0].0, pieces[7].0), (0, 40_000 - 32));
    }

    #[test]
    fn what_stands_anywhere_by_chance_is_left_out() {
        assert!(pieces_of(&[0; 100_000]).is_empty());
        assert!(pieces_of(b"short").is_empty());
        assert!(pieces_of(b"").is_empty());
    }

    #[test]
    fn short_secrets_are_named_as_left_out() {
        let mut secrets = Secrets::default();
        secrets.add("name a.txt", "a.txt");
        secrets.add("name letter.txt", "letter.txt");
        assert_eq!((secrets.needles.len(), secrets.skipped.len()), (1, 1));
    }
}
