//! Sealing and opening a file's parts (protocol §7.1): STREAM with the layout of age v1.
//!
//! ```text
//! nonce(chunk) = counter, 11 bytes big-endian ‖ final flag      counter = part · 128 + chunk in the part
//! sealed chunk = ChaCha20-Poly1305(content key, nonce, aad "", plaintext)       RFC 8439
//! ```
//!
//! The flag is 1 for the file's last chunk and 0 for every other, so a file can't be cut short or made longer;
//! the last chunk is never empty. The plaintext is padded with zeros to the layout's length before sealing
//! (see [`Part::padding_length`]), and [`check_padding`] makes sure of them after opening.
//!
//! One content key seals one plaintext ever: a part is sealed again only from the same bytes.

mod cipher;

use crate::{
    error::failures,
    parts::VerifiedPart,
    secret::ContentKey,
    size::{CHUNK_CIPHERTEXT, CHUNK_PLAINTEXT, Layout, PART_CHUNKS, Part, SizeError, TAG},
};

use cipher::{Cipher, NONCE};

const CHUNK: usize = CHUNK_PLAINTEXT as usize;
const SEALED_CHUNK: usize = CHUNK_CIPHERTEXT as usize;
const TAG_BYTES: usize = TAG as usize;

failures! {
    /// Why a part can't be sealed or opened.
    #[derive(Copy)]
    ContentError {
        /// The file has no such part, or its bytes are fewer or more than the layout says.
        WrongLength = "part_length", "the part has not the length it must have";
        /// The content key does not open the part. It tells nothing more.
        Unopenable = "content_unopenable", "the content can't be opened";
        /// Bytes after the end of the content are not zero.
        Padding = "content_padding", "the padding after the content is not zero";
    }
}

impl From<SizeError> for ContentError {
    fn from(_: SizeError) -> Self {
        Self::WrongLength
    }
}

/// Seals part `index` of a file into `out`, which is cleared first and can be used again without allocating.
///
/// `plaintext` holds the part's bytes, the padding zeros included: [`Part::plaintext_length`] bytes.
///
/// # Errors
/// [`ContentError::WrongLength`].
pub fn seal_part(
    key: &ContentKey,
    layout: &Layout,
    index: u32,
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ContentError> {
    let part = layout.part(index)?;
    if plaintext.len() != part.plaintext_length() {
        return Err(ContentError::WrongLength);
    }
    let cipher = Cipher::new(key);
    out.clear();
    out.reserve(part.ciphertext_length());
    for (chunk, nonce) in plaintext.chunks(CHUNK).zip(nonces(&part)) {
        let start = out.len();
        out.extend_from_slice(chunk);
        let tag = cipher.seal(nonce, &mut out[start..]);
        out.extend_from_slice(&tag);
    }
    Ok(())
}

/// Opens a part in place and returns its plaintext, padding included: the front of the buffer that was checked.
///
/// It takes the proof that the part is the one the file's owner signed for; see
/// [`crate::parts::PartList::check`].
///
/// # Errors
/// [`ContentError::Unopenable`]; the buffer's contents are then worthless, and wiped.
pub fn open_part<'a>(key: &ContentKey, part: VerifiedPart<'a>) -> Result<&'a mut [u8], ContentError> {
    let (part, buffer) = part.into_parts();
    match open_chunks(&Cipher::new(key), &part, buffer) {
        Ok(length) => Ok(&mut buffer[..length]),
        Err(error) => {
            buffer.fill(0);
            Err(error)
        }
    }
}

/// Opens every chunk and moves it to where it belongs in the plaintext; returns the plaintext's length.
fn open_chunks(cipher: &Cipher, part: &Part, buffer: &mut [u8]) -> Result<usize, ContentError> {
    let mut written = 0;
    for (start, nonce) in (0..buffer.len()).step_by(SEALED_CHUNK).zip(nonces(part)) {
        let sealed = buffer.len().min(start + SEALED_CHUNK) - start;
        let (chunk, tag) = buffer[start..start + sealed]
            .split_last_chunk_mut::<TAG_BYTES>()
            .ok_or(ContentError::WrongLength)?;
        let length = chunk.len();
        cipher.open(nonce, chunk, *tag).map_err(|_| ContentError::Unopenable)?;
        buffer.copy_within(start..start + length, written);
        written += length;
    }
    Ok(written)
}

/// The content of an opened part of a file of `size` bytes: `plaintext` without its padding.
///
/// # Errors
/// [`ContentError::Padding`] if any byte after the content is not zero: the owner sealed something hidden.
/// [`ContentError::WrongLength`] if the file of that size has no such part.
pub fn check_padding<'a>(
    layout: &Layout,
    index: u32,
    size: u64,
    plaintext: &'a [u8],
) -> Result<&'a [u8], ContentError> {
    let part = layout.part(index)?;
    if !layout.fits(size) || plaintext.len() != part.plaintext_length() {
        return Err(ContentError::WrongLength);
    }
    let (content, padding) = plaintext.split_at(part.content_length(size));
    if padding.iter().all(|byte| *byte == 0) { Ok(content) } else { Err(ContentError::Padding) }
}

/// The nonces of a part's chunks, in order.
fn nonces(part: &Part) -> impl Iterator<Item = [u8; NONCE]> {
    let first = u64::from(part.index) * PART_CHUNKS;
    let chunks = (part.plaintext.end - part.plaintext.start).div_ceil(CHUNK_PLAINTEXT);
    let last = part.is_last.then_some(first + chunks - 1);
    (first..first + chunks).map(move |counter| nonce(counter, Some(counter) == last))
}

/// age v1, "Payload": eleven bytes of big-endian counter, then 0x01 for the final chunk and 0x00 for any other.
fn nonce(counter: u64, is_final: bool) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[3..11].copy_from_slice(&counter.to_be_bytes());
    nonce[11] = u8::from(is_final);
    nonce
}

#[cfg(test)]
mod tests;
