//! Sizes (protocol §7.1–7.2): plaintext ↔ padded plaintext ↔ ciphertext ↔ parts, as pure arithmetic.
//!
//! A file is padded with zeros, cut into chunks of [`CHUNK_PLAINTEXT`] bytes that are sealed one by one, and
//! travels in parts of [`PART_CHUNKS`] chunks. [`Layout`] is the one place that knows how; whoever holds one
//! holds a possible length within the limits.

use crate::error::failures;
use std::ops::Range;

/// Plaintext bytes in a full chunk.
pub const CHUNK_PLAINTEXT: u64 = 65_536;
/// Bytes that sealing adds to a chunk: the Poly1305 tag.
pub const TAG: u64 = 16;
/// Ciphertext bytes in a full chunk.
pub const CHUNK_CIPHERTEXT: u64 = CHUNK_PLAINTEXT + TAG;
/// Chunks in a full part.
pub const PART_CHUNKS: u64 = 128;
/// Plaintext bytes in a full part: 8 MiB.
pub const PART_PLAINTEXT: u64 = PART_CHUNKS * CHUNK_PLAINTEXT;
/// Ciphertext bytes in a full part: 8,390,656.
pub const PART_CIPHERTEXT: u64 = PART_CHUNKS * CHUNK_CIPHERTEXT;
/// Greatest number of parts in a file.
pub const MAX_PARTS: u64 = 65_536;
/// Least padded length in bytes: every smaller file looks the same.
pub const MIN_PADDED: u64 = 4_096;
/// Greatest plaintext in bytes, 512 GiB. It is its own padded length.
pub const MAX_PLAINTEXT: u64 = MAX_PARTS * PART_PLAINTEXT;

failures! {
    /// Why a size is refused.
    #[derive(Copy)]
    SizeError {
        /// Above [`MAX_PLAINTEXT`].
        TooLarge = "size_too_large", "the file is larger than 512 GiB";
        /// No file has a ciphertext of this length.
        Impossible = "size_impossible", "no sealed file has this length";
        /// The file has fewer parts.
        NoSuchPart = "no_such_part", "the file has no part of this number";
    }
}

/// Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
/// PoPETs 2019, §4.3): `length` rounded up so that only O(log log length) bits of it show, at most 12 % more.
/// Saturates at the end of the range, far above [`MAX_PLAINTEXT`].
pub const fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1 << (exponent - kept)) - 1;
    length.saturating_add(mask) & !mask
}

/// The padded length of a plaintext of `size` bytes: Padmé(max(size, [`MIN_PADDED`])).
pub const fn padded_length(size: u64) -> u64 {
    padme(if size < MIN_PADDED { MIN_PADDED } else { size })
}

/// Ciphertext bytes of a padded plaintext of `padded` bytes, which is at most [`MAX_PLAINTEXT`].
pub const fn ciphertext_length(padded: u64) -> u64 {
    padded + TAG * padded.div_ceil(CHUNK_PLAINTEXT)
}

/// The inverse of [`ciphertext_length`] over padded lengths; `None` if no file has a ciphertext that long.
pub const fn padded_from_ciphertext(ciphertext: u64) -> Option<u64> {
    let Some(padded) = ciphertext.checked_sub(TAG * ciphertext.div_ceil(CHUNK_CIPHERTEXT)) else {
        return None;
    };
    let possible = padded >= MIN_PADDED
        && padded <= MAX_PLAINTEXT
        && padme(padded) == padded
        && ciphertext_length(padded) == ciphertext;
    if possible { Some(padded) } else { None }
}

/// Parts of a ciphertext of `ciphertext` bytes.
pub const fn part_count(ciphertext: u64) -> u64 {
    ciphertext.div_ceil(PART_CIPHERTEXT)
}

/// Bytes in part `index` (from 0) of a ciphertext of `ciphertext` bytes; 0 when there is no such part.
pub const fn part_length(index: u64, ciphertext: u64) -> u64 {
    let rest = ciphertext.saturating_sub(index.saturating_mul(PART_CIPHERTEXT));
    if rest < PART_CIPHERTEXT { rest } else { PART_CIPHERTEXT }
}

/// How one file is laid out. Building one checks the length against what is possible and against the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    padded: u64,
}

/// One part of a [`Layout`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 0.
    pub index: u32,
    /// Where its bytes stand in the padded plaintext.
    pub plaintext: Range<u64>,
    /// Where its bytes stand in the ciphertext.
    pub ciphertext: Range<u64>,
    /// Whether it ends the file.
    pub is_last: bool,
}

impl Layout {
    /// For a plaintext of `size` bytes.
    ///
    /// # Errors
    /// [`SizeError::TooLarge`].
    pub const fn for_size(size: u64) -> Result<Self, SizeError> {
        if size > MAX_PLAINTEXT {
            return Err(SizeError::TooLarge);
        }
        Ok(Self { padded: padded_length(size) })
    }

    /// For a ciphertext of `length` bytes, as somebody states it.
    ///
    /// # Errors
    /// [`SizeError::TooLarge`]; [`SizeError::Impossible`] if sealing never yields that length.
    pub const fn for_ciphertext(length: u64) -> Result<Self, SizeError> {
        if length > ciphertext_length(MAX_PLAINTEXT) {
            return Err(SizeError::TooLarge);
        }
        match padded_from_ciphertext(length) {
            Some(padded) => Ok(Self { padded }),
            None => Err(SizeError::Impossible),
        }
    }

    /// Bytes of plaintext and padding together.
    pub const fn padded_length(&self) -> u64 {
        self.padded
    }

    /// Bytes of ciphertext, all parts together.
    pub const fn ciphertext_length(&self) -> u64 {
        ciphertext_length(self.padded)
    }

    /// How many parts, at least 1 and at most [`MAX_PARTS`].
    pub const fn parts(&self) -> u32 {
        // At most 65,536 by construction.
        part_count(self.ciphertext_length()) as u32
    }

    /// Whether a plaintext of `size` bytes has this layout (§8 step 8).
    pub const fn fits(&self, size: u64) -> bool {
        size <= MAX_PLAINTEXT && padded_length(size) == self.padded
    }

    /// Part number `index`, from 0.
    ///
    /// # Errors
    /// [`SizeError::NoSuchPart`].
    pub fn part(&self, index: u32) -> Result<Part, SizeError> {
        if index >= self.parts() {
            return Err(SizeError::NoSuchPart);
        }
        let number = u64::from(index);
        let slice = |full: u64, total: u64| number * full..total.min((number + 1) * full);
        Ok(Part {
            index,
            plaintext: slice(PART_PLAINTEXT, self.padded),
            ciphertext: slice(PART_CIPHERTEXT, self.ciphertext_length()),
            is_last: index + 1 == self.parts(),
        })
    }

    /// Every part in order.
    pub fn all_parts(&self) -> impl Iterator<Item = Part> + '_ {
        (0..self.parts()).filter_map(|index| self.part(index).ok())
    }
}

impl Part {
    /// Bytes of plaintext and padding in this part.
    pub fn plaintext_length(&self) -> usize {
        (self.plaintext.end - self.plaintext.start) as usize
    }

    /// Bytes of ciphertext in this part.
    pub fn ciphertext_length(&self) -> usize {
        (self.ciphertext.end - self.ciphertext.start) as usize
    }

    /// How many of this part's plaintext bytes are content when the file's true size is `size`; the rest are
    /// padding zeros.
    pub fn content_length(&self, size: u64) -> usize {
        (size.clamp(self.plaintext.start, self.plaintext.end) - self.plaintext.start) as usize
    }

    /// How many zeros this part ends with when the file's true size is `size`.
    pub fn padding_length(&self, size: u64) -> usize {
        self.plaintext_length() - self.content_length(size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padme_known_answers() {
        // Computed by hand from E = ⌊log₂ L⌋, S = ⌊log₂ E⌋ + 1.
        for (length, padded) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (255, 256),
            (4_096, 4_096),
            (4_097, 4_352),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
            (MAX_PLAINTEXT - 1, MAX_PLAINTEXT),
            (MAX_PLAINTEXT, MAX_PLAINTEXT),
        ] {
            assert_eq!(padme(length), padded, "Padmé({length})");
        }
        assert_eq!(padme(u64::MAX) & 1, 0);
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_past_it() {
        let largest = Layout::for_size(MAX_PLAINTEXT).unwrap();
        assert_eq!(u64::from(largest.parts()), MAX_PARTS);
        assert_eq!(Layout::for_size(MAX_PLAINTEXT + 1), Err(SizeError::TooLarge));
        assert_eq!(Layout::for_ciphertext(largest.ciphertext_length()), Ok(largest));
        assert_eq!(Layout::for_ciphertext(largest.ciphertext_length() + 1), Err(SizeError::TooLarge));
        assert_eq!(largest.part(65_535).unwrap().ciphertext.end, largest.ciphertext_length());
        assert_eq!(largest.part(65_536), Err(SizeError::NoSuchPart));
    }

    #[test]
    fn small_files_all_look_the_same() {
        for size in [0, 1, 100, 4_095, 4_096] {
            assert_eq!(Layout::for_size(size).unwrap().ciphertext_length(), 4_112);
        }
        assert_eq!(Layout::for_size(4_097).unwrap().ciphertext_length(), 4_368);
    }

    #[test]
    fn lengths_that_sealing_never_yields_are_refused() {
        for length in
            [0, 15, 16, 4_111, 4_113, 65_552 + 16, 65_552 + 17, 2 * 65_552 + 1, PART_CIPHERTEXT + 16]
        {
            assert_eq!(Layout::for_ciphertext(length), Err(SizeError::Impossible), "{length}");
        }
    }

    proptest! {
        #[test]
        fn padding_is_bounded_monotone_and_idempotent(size in 0..MAX_PLAINTEXT) {
            let padded = padded_length(size);
            prop_assert!(padded >= size.max(MIN_PADDED));
            prop_assert!(padded - size.max(MIN_PADDED) <= size.max(MIN_PADDED) * 12 / 100);
            prop_assert_eq!(padme(padded), padded);
            prop_assert!(padded_length(size + 1) >= padded);
        }

        #[test]
        fn a_layout_is_recovered_from_its_ciphertext_length(size in 0..=MAX_PLAINTEXT) {
            let layout = Layout::for_size(size).unwrap();
            prop_assert_eq!(Layout::for_ciphertext(layout.ciphertext_length()), Ok(layout));
            prop_assert!(layout.fits(size));
        }

        #[test]
        fn parts_cover_the_file_without_gap(size in 0..=40 * PART_PLAINTEXT) {
            let layout = Layout::for_size(size).unwrap();
            let (mut plaintext, mut ciphertext, mut content) = (0, 0, 0);
            for part in layout.all_parts() {
                prop_assert_eq!(part.plaintext.start, plaintext);
                prop_assert_eq!(part.ciphertext.start, ciphertext);
                prop_assert_eq!(
                    part_length(u64::from(part.index), layout.ciphertext_length()),
                    part.ciphertext_length() as u64
                );
                prop_assert_eq!(part.is_last, part.index + 1 == layout.parts());
                plaintext = part.plaintext.end;
                ciphertext = part.ciphertext.end;
                content += part.content_length(size) as u64;
            }
            prop_assert_eq!(plaintext, layout.padded_length());
            prop_assert_eq!(ciphertext, layout.ciphertext_length());
            prop_assert_eq!(content, size);
        }

        #[test]
        fn only_lengths_of_layouts_are_accepted(length in 0_u64..20_000_000) {
            if let Ok(layout) = Layout::for_ciphertext(length) {
                prop_assert_eq!(layout.ciphertext_length(), length);
                prop_assert_eq!(Layout::for_size(layout.padded_length()), Ok(layout));
            }
        }
    }
}
