//! The ciphertext of a file, whole or a range of it, streamed part by part.

use std::{collections::VecDeque, ops::Range};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use sealpost_api::{HEADER_TICKET, OCTET_STREAM, limits::TICKET_SECONDS, problem::ErrorCode};
use sealpost_crypto::id::{FileId, RecordId, TicketId, UserId};

use super::file::{readable, ticket};
use crate::{
    auth::Member,
    blob::{BlobError, Content, VersionKey},
    db::{
        file::{Access, By},
        part::{self, Part},
        ticket as tickets,
    },
    extract::Path,
    problem::ApiError,
    range::{self, RangeError},
    state::AppState,
};

/// Rows about parts that are read ahead.
const PARTS_AHEAD: u32 = 64;

/// `GET /files/{file_id}/download`. The first request under a ticket counts as a download; the owner's never do.
pub(super) async fn download(
    State(state): State<AppState>,
    member: Member,
    Path(file_id): Path<FileId>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let ticket = ticket(&headers)?.unwrap_or_else(TicketId::random);
    let (mut access, mut paid) = access(&state, file_id, member.user_id(), ticket).await?;
    check_wanted(&headers, &access)?;
    let length = access.layout.ciphertext_length();
    let range = match wanted(&headers, length) {
        Ok(range) => range,
        Err(error) => return Ok(not_satisfiable(error, length)),
    };
    // HEAD tells everything but the bytes, so it costs nothing.
    if !paid && method != Method::HEAD && pay(&state, access.share, ticket).await.is_err() {
        // Another share may have taken its place in between, of this version or of the next.
        let looked_at = access.version;
        (access, paid) = self::access(&state, file_id, member.user_id(), ticket).await?;
        if access.version != looked_at {
            return Err(replaced());
        }
        if !paid {
            pay(&state, access.share, ticket).await?;
        }
    }
    let bytes = range.clone().unwrap_or(0..length);
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        match content(&state, &access, bytes).await {
            Ok(body) => body,
            Err(error) => return Err(why(&state, &access, member.user_id(), ticket, error).await?),
        }
    };
    let mut response = answer(&access, range, body)?;
    if !access.is_owner {
        response.headers_mut().insert(HEADER_TICKET, text(&ticket.to_string())?);
    }
    Ok(response)
}

/// What the caller may read now, and whether it was paid for under this ticket.
async fn access(
    state: &AppState,
    file_id: FileId,
    caller: UserId,
    ticket: TicketId,
) -> Result<(Access, bool), ApiError> {
    let mut tx = state.db.read().await?;
    let row = readable(state, &mut tx, file_id, caller, By::Ticket(ticket)).await?;
    let access = row.access(caller)?;
    let since = state.clock.micros_ago(TICKET_SECONDS);
    let paid = access.is_owner || tickets::is_live(&mut tx, access.share, ticket, since).await?;
    Ok((access, paid))
}

/// The version that the request wants is the one that is live.
fn check_wanted(headers: &HeaderMap, access: &Access) -> Result<(), ApiError> {
    match headers.get(header::IF_MATCH) {
        Some(wanted) if wanted.as_bytes() != tag(access).as_bytes() => Err(replaced()),
        _ => Ok(()),
    }
}

fn tag(access: &Access) -> String {
    format!("\"{}\"", access.digest)
}

fn replaced() -> ApiError {
    let detail = "The file's owner has sealed it anew: another version is live.";
    ApiError::new(ErrorCode::VersionReplaced, detail)
        .hint("Look at the file again, and download that version.")
}

/// Why a download failed that was allowed a moment ago: perhaps another version took the place of the one looked at.
async fn why(
    state: &AppState,
    access: &Access,
    reader: UserId,
    ticket: TicketId,
    error: ApiError,
) -> Result<ApiError, ApiError> {
    let mut tx = state.db.read().await?;
    let now = readable(state, &mut tx, access.version.file_id, reader, By::Ticket(ticket)).await?;
    let is_same = now.access(reader)?.version == access.version;
    Ok(if is_same { error } else { replaced() })
}

fn wanted(headers: &HeaderMap, length: u64) -> Result<Option<Range<u64>>, RangeError> {
    let Some(value) = headers.get(header::RANGE) else { return Ok(None) };
    range::parse(value.to_str().map_err(|_| RangeError::NotOne)?, length)
}

fn not_satisfiable(error: RangeError, length: u64) -> Response {
    let problem = ApiError::new(ErrorCode::RangeNotSatisfiable, format!("Of {length} bytes: {error}."));
    let mut response = problem.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// Counts a download, once for each ticket; 404 when the share allows none any more.
async fn pay(state: &AppState, share: RecordId, ticket: TicketId) -> Result<(), ApiError> {
    let (now, since) = (state.clock.micros(), state.clock.micros_ago(TICKET_SECONDS));
    let mut tx = state.db.write().await?;
    if !tickets::pay(&mut tx, share, ticket, now, since).await? {
        return Err(ApiError::not_found());
    }
    Ok(tx.commit().await?)
}

fn answer(access: &Access, range: Option<Range<u64>>, body: Body) -> Result<Response, ApiError> {
    let total = access.layout.ciphertext_length();
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text(&tag(access))?);
    let length = match range {
        None => total,
        Some(Range { start, end }) => {
            headers.insert(header::CONTENT_RANGE, text(&format!("bytes {start}-{}/{total}", end - 1))?);
            end - start
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if headers.contains_key(header::CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn text(value: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value).map_err(|error| ApiError::internal(&error))
}

/// The bytes of a range. The first part is opened before anything is answered, so that a store that fails gives
/// an error, not a cut answer.
async fn content(state: &AppState, access: &Access, bytes: Range<u64>) -> Result<Body, ApiError> {
    let mut reader = Reader {
        state: state.clone(),
        version: access.version,
        slices: Box::new(range::slices(access.layout, bytes)),
        parts_end: access.layout.parts(),
        ahead: VecDeque::new(),
    };
    let first = reader.next().await?.ok_or(BlobError::Missing)?;
    let rest = stream::try_unfold(reader, async |mut reader: Reader| {
        Ok::<_, BlobError>(reader.next().await?.map(|content| (content, reader)))
    });
    let bytes = first.chain(rest.try_flatten());
    let logged = bytes.inspect_err(|error| tracing::error!(cause = %error, "a download was cut"));
    Ok(Body::from_stream(logged))
}

/// Opens one part after another.
struct Reader {
    state: AppState,
    version: VersionKey,
    slices: Box<dyn Iterator<Item = (u32, Range<u64>)> + Send>,
    parts_end: u32,
    ahead: VecDeque<Part>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Content>, BlobError> {
        let Some((index, range)) = self.slices.next() else { return Ok(None) };
        if self.ahead.is_empty() {
            let until = self.parts_end.min(index + PARTS_AHEAD);
            let mut tx = self.state.db.read().await?;
            self.ahead = part::range(&mut tx, self.version, index, until).await?.into();
        }
        let part = self.ahead.pop_front().ok_or(BlobError::Missing)?;
        if part.index()? != index {
            return Err(BlobError::Missing);
        }
        self.state.blobs.read(part.blob(self.version)?, range).await.map(Some)
    }
}
