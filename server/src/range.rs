//! Byte ranges (RFC 9110 §14): what a `Range` header asks for, and which parts it touches. Pure arithmetic.

use std::ops::Range;

use sealpost_crypto::size::{Layout, PART_CIPHERTEXT};

/// The range can't be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It begins after the end.
    #[error("the range begins after the end")]
    Beyond,
    /// It is not one range in bytes.
    #[error("only one range of bytes can be asked for")]
    NotOne,
}

/// The bytes that the header asks for, out of `length` (at least 1). Never empty; an end beyond the last byte
/// is cut, as the RFC wants it. Ranges in other units are to be ignored: `None`.
///
/// # Errors
/// [`RangeError`], both answered with 416.
pub fn parse(header: &str, length: u64) -> Result<Option<Range<u64>>, RangeError> {
    let Some((unit, set)) = header.split_once('=') else { return Err(RangeError::NotOne) };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(None);
    }
    let (first, last) = set.trim().split_once('-').ok_or(RangeError::NotOne)?;
    let range = match (number(first)?, number(last)?) {
        (Some(first), Some(last)) if first > last => return Err(RangeError::NotOne),
        (Some(first), last) => first..last.map_or(length, |last| length.min(last.saturating_add(1))),
        (None, Some(suffix)) => length.saturating_sub(suffix)..length,
        (None, None) => return Err(RangeError::NotOne),
    };
    if range.start < range.end { Ok(Some(range)) } else { Err(RangeError::Beyond) }
}

/// Decimal digits; none at all is `None`. Numbers too large to matter saturate.
fn number(text: &str) -> Result<Option<u64>, RangeError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RangeError::NotOne);
    }
    Ok(if text.is_empty() { None } else { Some(text.parse().unwrap_or(u64::MAX)) })
}

/// Which parts hold the ciphertext bytes `range`, in order, each with the bytes wanted of that part.
pub fn slices(layout: Layout, range: Range<u64>) -> impl Iterator<Item = (u32, Range<u64>)> {
    let end = range.end.min(layout.ciphertext_length());
    let first = range.start / PART_CIPHERTEXT;
    let after = if range.start < end { end.div_ceil(PART_CIPHERTEXT) } else { first };
    (first..after).map(move |part| {
        let offset = part * PART_CIPHERTEXT;
        // Part numbers stay below MAX_PARTS, far within 32 bits.
        (part as u32, range.start.saturating_sub(offset)..(end - offset).min(PART_CIPHERTEXT))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_the_rfc_has_them() {
        // RFC 9110 §14.1.2's examples, over 10,000 bytes.
        for (header, range) in [
            ("bytes=0-499", 0..500),
            ("bytes=500-999", 500..1_000),
            ("bytes=-500", 9_500..10_000),
            ("bytes=9500-", 9_500..10_000),
            ("bytes=0-0", 0..1),
            ("bytes=-1", 9_999..10_000),
            ("Bytes=9999-99999", 9_999..10_000),
            ("bytes=-99999", 0..10_000),
            ("bytes=1-99999999999999999999999", 1..10_000),
        ] {
            assert_eq!(parse(header, 10_000), Ok(Some(range)), "{header}");
        }
        assert_eq!(parse("lines=1-2", 10_000), Ok(None));
    }

    #[test]
    fn ranges_that_cannot_be_served() {
        for header in ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(parse(header, 10_000), Err(RangeError::Beyond), "{header}");
        }
        for header in ["bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(parse(header, 10_000), Err(RangeError::NotOne), "{header}");
        }
    }

    #[test]
    fn slices_cover_exactly_the_range() {
        let layout = Layout::for_size(40 << 20).unwrap();
        let (part, length) = (PART_CIPHERTEXT, layout.ciphertext_length());
        for range in [
            0..1,
            0..length,
            part - 1..part,
            part..part + 1,
            part - 1..2 * part + 1,
            length - 1..length,
            5..5,
        ] {
            let mut at = range.start;
            for (index, slice) in slices(layout, range.clone()) {
                let offset = layout.part(index).unwrap().ciphertext.start;
                assert_eq!(offset + slice.start, at, "a gap in {range:?}");
                assert!(slice.start < slice.end && slice.end <= part, "{slice:?} in {range:?}");
                at = offset + slice.end;
            }
            assert_eq!(at, range.end, "{range:?} is cut");
        }
    }
}
