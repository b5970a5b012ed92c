//! Comparing a file with what was delivered: it is sealed again, part by part, and the digests are compared with those
//! that the sender signed. One part in memory, whatever the size.

use zeroize::Zeroizing;

use super::{EvidenceError, Verdict};
use crate::{
    chunk,
    parts::{self, PartList},
    secret::ContentKey,
};

/// A comparison under way.
pub struct ContentCheck<'a> {
    list: &'a PartList,
    key: &'a ContentKey,
    size: u64,
    taken: u64,
    index: u32,
    plaintext: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
}

/// A file is, byte for byte, the one that was delivered. Only [`ContentCheck::finish`] builds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameContent {
    size: u64,
}

impl SameContent {
    /// Bytes compared.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Verdict {
    /// Begins to compare a file with the one that was delivered.
    ///
    /// # Errors
    /// [`EvidenceError::Undisclosed`] if the file key is not in the evidence.
    pub fn content_check(&self) -> Result<ContentCheck<'_>, EvidenceError> {
        let keys = self.keys.as_ref().ok_or(EvidenceError::Undisclosed)?;
        let metadata = self.facts.metadata.as_ref().ok_or(EvidenceError::Undisclosed)?;
        let first = self.list.layout().part(0).map_or(0, |part| part.plaintext_length());
        Ok(ContentCheck {
            list: &self.list,
            key: &keys.content,
            size: metadata.size,
            taken: 0,
            index: 0,
            // All that it will ever hold: growing would leave copies of the content behind.
            plaintext: Zeroizing::new(Vec::with_capacity(first)),
            sealed: Vec::new(),
        })
    }
}

impl ContentCheck<'_> {
    /// The file's next bytes, as many as there are at hand.
    ///
    /// # Errors
    /// [`EvidenceError::Content`] as soon as something differs.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), EvidenceError> {
        self.taken += bytes.len() as u64;
        if self.taken > self.size {
            return Err(EvidenceError::Content);
        }
        while !bytes.is_empty() {
            let wanted = self.wanted()?;
            if self.plaintext.len() == wanted {
                self.compare_part()?;
                continue;
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(wanted - self.plaintext.len()));
            self.plaintext.extend_from_slice(piece);
            bytes = rest;
        }
        Ok(())
    }

    /// The file has ended.
    ///
    /// # Errors
    /// [`EvidenceError::Content`] if it is shorter, or anything differs.
    pub fn finish(mut self) -> Result<SameContent, EvidenceError> {
        if self.taken != self.size {
            return Err(EvidenceError::Content);
        }
        while self.index < self.list.layout().parts() {
            self.compare_part()?;
        }
        Ok(SameContent { size: self.size })
    }

    /// Bytes of content in the part at hand.
    fn wanted(&self) -> Result<usize, EvidenceError> {
        let part = self.list.layout().part(self.index).map_err(|_| EvidenceError::Content)?;
        Ok(part.content_length(self.size))
    }

    /// Seals the part at hand, filled up with zeros, and goes on to the next.
    fn compare_part(&mut self) -> Result<(), EvidenceError> {
        let layout = self.list.layout();
        let part = layout.part(self.index).map_err(|_| EvidenceError::Content)?;
        self.plaintext.resize(part.plaintext_length(), 0);
        chunk::seal_part(self.key, layout, self.index, &self.plaintext, &mut self.sealed)
            .map_err(|_| EvidenceError::Content)?;
        if self.list.digests().get(self.index as usize) != Some(&parts::part_digest(&self.sealed)) {
            return Err(EvidenceError::Content);
        }
        self.plaintext.clear();
        self.index += 1;
        Ok(())
    }
}
