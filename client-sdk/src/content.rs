//! The pipelines between plaintext and ciphertext parts: read, seal, hash and send at the same time, with a
//! bounded number of parts in memory; and the reverse.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sealpost_crypto::{
    chunk,
    id::Digest,
    keys::FileKeys,
    parts::{self, PartList},
    size::{Layout, Part},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::{
    error::{Error, ErrorKind, Result},
    progress::Meter,
};

/// Parts in memory at one time, each with its plaintext and its ciphertext of about 8 MiB.
const PARTS_IN_FLIGHT: usize = 3;

/// A part ready to be sent.
pub(crate) struct SealedPart {
    pub index: u32,
    pub digest: Digest,
    pub bytes: Bytes,
}

/// Reads `size` bytes from `source`, seals them part by part, gives each to `send`; returns the digests in order.
///
/// # Errors
/// [`ErrorKind::SourceChanged`] if `source` has fewer or more bytes.
pub(crate) async fn seal_all<R, F>(
    mut source: R,
    size: u64,
    layout: Layout,
    keys: Arc<FileKeys>,
    meter: &Meter<'_>,
    send: impl Fn(SealedPart) -> F,
) -> Result<Vec<Digest>>
where
    R: AsyncRead + Unpin,
    F: Future<Output = Result<()>>,
{
    let source = &mut source;
    let digests = stream::try_unfold((source, 0), |(source, index)| async move {
        if index == layout.parts() {
            expect_end(source).await?;
            return Ok::<_, Error>(None);
        }
        let part = layout.part(index)?;
        let plaintext = read_part(source, &part, size).await?;
        Ok(Some(((part, plaintext), (source, index + 1))))
    })
    .map_ok(|(part, plaintext)| {
        let keys = Arc::clone(&keys);
        let send = &send;
        async move {
            let content = part.content_length(size) as u64;
            let sealed = seal_part(keys, layout, part.index, plaintext).await?;
            let digest = sealed.digest;
            send(sealed).await?;
            meter.advance(content);
            Ok(digest)
        }
    })
    .try_buffered(PARTS_IN_FLIGHT)
    .try_collect()
    .await?;
    Ok(digests)
}

/// The plaintext of one part: content, then padding zeros.
async fn read_part<R: AsyncRead + Unpin>(
    source: &mut R,
    part: &Part,
    size: u64,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut plaintext = Zeroizing::new(vec![0; part.plaintext_length()]);
    let content = part.content_length(size);
    source.read_exact(&mut plaintext[..content]).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => source_changed("shorter"),
        _ => Error::new(ErrorKind::LocalFile, "source_unreadable", format!("can't read the file: {error}")),
    })?;
    Ok(plaintext)
}

async fn expect_end<R: AsyncRead + Unpin>(source: &mut R) -> Result<()> {
    match source.read(&mut [0]).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(source_changed("longer")),
        Err(error) => Err(Error::new(
            ErrorKind::LocalFile,
            "source_unreadable",
            format!("can't read the file: {error}"),
        )),
    }
}

fn source_changed(how: &str) -> Error {
    let message = format!("the file became {how} while it was being uploaded");
    Error::new(ErrorKind::SourceChanged, "source_changed", message)
        .with_hint("Nothing was delivered. Upload it again when nobody is writing to it.")
}

async fn seal_part(
    keys: Arc<FileKeys>,
    layout: Layout,
    index: u32,
    plaintext: Zeroizing<Vec<u8>>,
) -> Result<SealedPart> {
    blocking(move || {
        let mut bytes = Vec::new();
        chunk::seal_part(&keys.content, &layout, index, &plaintext, &mut bytes)?;
        Ok(SealedPart { index, digest: parts::part_digest(&bytes), bytes: Bytes::from(bytes) })
    })
    .await
}

/// Fetches every part, checks it against the verified list, opens it, and writes the content in order.
pub(crate) async fn open_all<W, F>(
    mut sink: W,
    size: u64,
    list: Arc<PartList>,
    keys: Arc<FileKeys>,
    meter: &Meter<'_>,
    fetch: impl Fn(Part) -> F,
) -> Result<()>
where
    W: AsyncWrite + Unpin,
    F: Future<Output = Result<Vec<u8>>>,
{
    let indexes = 0..list.layout().parts();
    let mut opened = stream::iter(indexes)
        .map(|index| {
            let (list, keys, fetch) = (Arc::clone(&list), Arc::clone(&keys), &fetch);
            async move {
                let ciphertext = fetch(list.layout().part(index)?).await?;
                open_part(list, keys, index, size, ciphertext).await
            }
        })
        .buffered(PARTS_IN_FLIGHT);
    while let Some(content) = opened.try_next().await? {
        sink.write_all(&content).await.map_err(write_failed)?;
        meter.advance(content.len() as u64);
    }
    sink.flush().await.map_err(write_failed)
}

async fn open_part(
    list: Arc<PartList>,
    keys: Arc<FileKeys>,
    index: u32,
    size: u64,
    ciphertext: Vec<u8>,
) -> Result<Zeroizing<Vec<u8>>> {
    blocking(move || {
        let mut buffer = Zeroizing::new(ciphertext);
        let verified = list.check(index, &mut buffer)?;
        let plaintext = chunk::open_part(&keys.content, verified)?;
        let content = chunk::check_padding(list.layout(), index, size, plaintext)?.len();
        buffer.truncate(content);
        Ok(buffer)
    })
    .await
}

/// Runs `work` on the threads for long computations.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::internal("a computation was cut short"))?
}

pub(crate) fn write_failed(error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        std::io::ErrorKind::BrokenPipe => "whoever reads the output has gone".to_owned(),
        _ => format!("can't write: {error}"),
    };
    Error::new(ErrorKind::LocalFile, "write_failed", message)
}
