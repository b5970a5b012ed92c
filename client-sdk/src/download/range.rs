//! A piece out of the middle of a file. What is fetched is rounded out to whole parts, because a part is verified as a
//! whole before it is opened (protocol §7.2).

use std::ops::Range;

use sealpost_crypto::size::PART_PLAINTEXT;

use super::Download;
use crate::{
    content,
    error::{Error, ErrorKind, Result},
    progress::Meter,
};

impl Download {
    /// Reads the bytes of content in `range`, verified like those of a whole download, without the rest of the file. They
    /// are in memory together, and so are the up to 8 MiB that the range is rounded out by at either end: read what is
    /// large in pieces, or whole with [`Download::to_writer`].
    ///
    /// All ranges and a whole download of the same file count as one download, until that is complete or a day old. There
    /// is no receipt for a range: it says that every byte arrived.
    ///
    /// Dropping the future has no effect but that what was fetched is forgotten.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] (`range_outside`) if the range ends behind the end of the file, or before it begins;
    /// [`ErrorKind::Verification`] if a part of it does not verify;
    /// [`ErrorKind::NotFound`] if the file is not to be had any more.
    pub async fn read_range(&self, range: Range<u64>) -> Result<Vec<u8>> {
        if range.start > range.end || range.end > self.size() {
            return Err(outside(&range, self.size()));
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let (first, last) = (range.start / PART_PLAINTEXT, (range.end - 1) / PART_PLAINTEXT);
        // Within the file, so within the number of its parts.
        let parts = first as u32..last as u32 + 1;
        let opening = self.opening().await?;
        let (mut content, meter) = (Vec::new(), Meter::new(self.size(), &|_| {}));
        self.fetch(&mut content, &opening, parts, content::PARTS_IN_FLIGHT, &meter).await?;
        content.truncate((range.end - first * PART_PLAINTEXT) as usize);
        content.drain(..(range.start - first * PART_PLAINTEXT) as usize);
        Ok(content)
    }
}

fn outside(range: &Range<u64>, size: u64) -> Error {
    let message = format!("there are no bytes {} to {} in a file of {size}", range.start, range.end);
    Error::new(ErrorKind::InvalidInput, "range_outside", message)
        .with_hint("A range begins at 0, and its end is not part of it.")
}
