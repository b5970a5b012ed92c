//! A web application that takes an upload and sends it on, sealed, while it is still coming in: neither the plaintext nor
//! the ciphertext touches this machine's disk, and only a few parts are in memory.
//!
//! ```sh
//! cargo run -p sealpost-client --example axum_passthrough -- /var/lib/app/sealpost/state client@example.com
//! curl --upload-file report.pdf http://127.0.0.1:PORT/upload/report.pdf
//! ```
//!
//! Whoever may upload here is the application's to decide: this example lets everybody on this machine.
#![allow(clippy::print_stdout, reason = "a program that talks to its terminal")]

use std::{error::Error, path::Path, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode, header},
    routing::put,
};
use futures_util::TryStreamExt;
use sealpost_client::{EmailAddress, ErrorKind, NewFile, SignedIn, Terms, store::FolderStore};
use tokio_util::io::StreamReader;

/// What the handler works with. Cloning is cheap: all clones are one session.
#[derive(Clone)]
struct App {
    me: SignedIn,
    recipient: EmailAddress,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [state, recipient] = arguments.as_slice() else {
        return Err("usage: axum_passthrough STATE_FOLDER EMAIL".into());
    };
    let me = SignedIn::resume(Arc::new(FolderStore::open(Path::new(state))?)).await?;
    me.certify_accepted().await?;
    let app = App { me, recipient: recipient.parse()? };
    let router = Router::new().route("/upload/{name}", put(upload)).with_state(app);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

/// Seals the body part by part as it arrives, and shares the file once it is complete.
async fn upload(
    State(app): State<App>,
    UrlPath(name): UrlPath<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<String, (StatusCode, String)> {
    // The size goes into the sealed metadata and the padding, so it is needed first. A body that is shorter or longer
    // is an error in the end, and nothing was delivered.
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let size = length.ok_or((StatusCode::LENGTH_REQUIRED, "send a Content-Length".to_owned()))?;
    let what = NewFile { name, media_type: String::new(), size, modified: 0, note: String::new() };
    let content = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));

    let uploaded = app.me.upload(content, what, &|_| {}).await.map_err(answer)?;
    let recipients = [app.recipient.clone()];
    for outcome in app.me.share(uploaded.file_id, &recipients, Terms::default()).await.map_err(answer)? {
        outcome.result.map_err(answer)?;
    }
    Ok(uploaded.file_id.to_string())
}

/// What went wrong, for whoever uploads. Kinds are made to be matched on.
fn answer(error: sealpost_client::Error) -> (StatusCode, String) {
    let status = match error.kind() {
        ErrorKind::SourceChanged | ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::RecipientUnknown | ErrorKind::RecipientPending => StatusCode::CONFLICT,
        ErrorKind::Network | ErrorKind::Server => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string())
}
