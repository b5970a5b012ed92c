//! Digests of parts (protocol §7.2): what a manifest commits to, and the proof that a part is the right one.
//!
//! ```text
//! dᵢ     = BLAKE3(ciphertext of part i)
//! digest = BLAKE3("sealpost/v1/parts" ‖ 00 ‖ u64 ciphertext length ‖ d₀ ‖ d₁ ‖ …)
//! ```
//!
//! A reader fetches the list of dᵢ first, checks it against the manifest ([`PartList::verify`]), then checks
//! every part before it is decrypted ([`PartList::check`]); so parts may come in any order, from anywhere.

use std::fmt;

use crate::{
    error::failures,
    id::Digest,
    labels,
    size::{Layout, Part},
};

failures! {
    /// Why a list of digests or a part was refused.
    #[derive(Copy)]
    PartError {
        /// There are more or fewer digests than the file has parts.
        WrongCount = "part_count", "the part list has not as many entries as the file has parts";
        /// The list is not the one that the manifest commits to.
        ListMismatch = "part_list_mismatch", "the part list is not the one that was signed";
        /// The file has no such part, or the part has another length.
        WrongLength = "part_length", "the part has not the length it must have";
        /// The part is not the one in the list.
        PartMismatch = "part_mismatch", "the part is not the one that was signed";
    }
}

/// BLAKE3 of one part's ciphertext.
pub fn part_digest(ciphertext: &[u8]) -> Digest {
    Digest::new(blake3::hash(ciphertext).into())
}

/// The digest over a file's parts that its manifest states; `length` is the ciphertext length in bytes.
pub fn content_digest(length: u64, parts: &[Digest]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&labels::labelled(labels::PARTS, &[&length.to_be_bytes()]));
    for digest in parts {
        hasher.update(digest.as_bytes());
    }
    Digest::new(hasher.finalize().into())
}

/// [`part_digest`] for bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct PartHasher {
    hasher: blake3::Hasher,
    length: u64,
}

impl PartHasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of all bytes.
    pub fn finish(self) -> Digest {
        Digest::new(self.hasher.finalize().into())
    }
}

impl fmt::Debug for PartHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartHasher({} bytes)", self.length)
    }
}

/// The digests of a file's parts, proven to be those that the manifest commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartList {
    layout: Layout,
    digests: Vec<Digest>,
}

impl PartList {
    /// Checks `digests` against `expected`, the digest in a verified manifest whose length gave `layout`.
    ///
    /// # Errors
    /// [`PartError::WrongCount`], [`PartError::ListMismatch`].
    pub fn verify(layout: Layout, digests: Vec<Digest>, expected: &Digest) -> Result<Self, PartError> {
        if digests.len() != layout.parts() as usize {
            return Err(PartError::WrongCount);
        }
        if content_digest(layout.ciphertext_length(), &digests) != *expected {
            return Err(PartError::ListMismatch);
        }
        Ok(Self { layout, digests })
    }

    /// How the file is laid out.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The digests in order.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Checks one part's ciphertext. The proof holds the bytes, so they can't change before they are opened.
    ///
    /// # Errors
    /// [`PartError::WrongLength`], [`PartError::PartMismatch`].
    pub fn check<'a>(&self, index: u32, bytes: &'a mut [u8]) -> Result<VerifiedPart<'a>, PartError> {
        let part = self.layout.part(index).map_err(|_| PartError::WrongLength)?;
        if bytes.len() != part.ciphertext_length() {
            return Err(PartError::WrongLength);
        }
        if self.digests.get(index as usize) != Some(&part_digest(bytes)) {
            return Err(PartError::PartMismatch);
        }
        Ok(VerifiedPart { part, bytes })
    }
}

/// A part's ciphertext, proven to be what the manifest commits to at this place.
pub struct VerifiedPart<'a> {
    part: Part,
    bytes: &'a mut [u8],
}

impl<'a> VerifiedPart<'a> {
    /// Which part it is.
    pub fn part(&self) -> &Part {
        &self.part
    }

    pub(crate) fn into_parts(self) -> (Part, &'a mut [u8]) {
        (self.part, self.bytes)
    }
}

impl fmt::Debug for VerifiedPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedPart({:?})", self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::PART_CIPHERTEXT;

    fn sample() -> (Layout, Vec<Vec<u8>>, Vec<Digest>) {
        let layout = Layout::for_size(9 << 20).unwrap();
        let parts: Vec<Vec<u8>> =
            layout.all_parts().map(|part| vec![part.index as u8; part.ciphertext_length()]).collect();
        let digests = parts.iter().map(|part| part_digest(part)).collect();
        (layout, parts, digests)
    }

    #[test]
    fn blake3_known_answer() {
        // The BLAKE3 paper's test vector for the empty input.
        assert_eq!(
            part_digest(b"").to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
    }

    #[test]
    fn the_content_digest_is_over_label_length_and_parts() {
        let (one, two) = (Digest::new([1; 32]), Digest::new([2; 32]));
        let mut input = b"sealpost/v1/parts\0\0\0\0\0\0\x80\x08\x00".to_vec();
        input.extend_from_slice(&[1; 32]);
        input.extend_from_slice(&[2; 32]);
        assert_eq!(content_digest(PART_CIPHERTEXT, &[one, two]), part_digest(&input));
    }

    #[test]
    fn hashing_in_pieces_gives_the_same_digest() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let mut hasher = PartHasher::new();
        bytes.chunks(777).for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.length(), 100_000);
        assert_eq!(hasher.finish(), part_digest(&bytes));
    }

    #[test]
    fn only_the_signed_list_is_taken() {
        let (layout, _, digests) = sample();
        let expected = content_digest(layout.ciphertext_length(), &digests);
        assert!(PartList::verify(layout, digests.clone(), &expected).is_ok());

        let mut swapped = digests.clone();
        swapped.swap(0, 1);
        assert_eq!(PartList::verify(layout, swapped, &expected), Err(PartError::ListMismatch));
        assert_eq!(PartList::verify(layout, digests[..1].to_vec(), &expected), Err(PartError::WrongCount));
        // The same parts under another length are another file.
        let other = content_digest(layout.ciphertext_length() + 1, &digests);
        assert_eq!(PartList::verify(layout, digests, &other), Err(PartError::ListMismatch));
    }

    #[test]
    fn only_the_listed_part_is_taken() {
        let (layout, mut parts, digests) = sample();
        let expected = content_digest(layout.ciphertext_length(), &digests);
        let list = PartList::verify(layout, digests, &expected).unwrap();
        assert_eq!(list.check(1, &mut parts[1]).unwrap().part().index, 1);

        assert_eq!(list.check(0, &mut parts[1]).unwrap_err(), PartError::WrongLength);
        assert_eq!(list.check(2, &mut parts[1]).unwrap_err(), PartError::WrongLength);
        parts[0][4_000_000] ^= 1;
        assert_eq!(list.check(0, &mut parts[0]).unwrap_err(), PartError::PartMismatch);
        let short = parts[0].len() - 1;
        assert_eq!(list.check(0, &mut parts[0][..short]).unwrap_err(), PartError::WrongLength);
    }
}
