//! `service`: the server signs checkpoints with another key from here on.

use sealpost_crypto::{record::RawRecord, records::Service};

use crate::{
    append::Appending,
    db::{self, Tx},
    problem::ApiError,
    state::AppState,
};

/// Appends the entry, which must name the key that this server offers; the key before is forgotten.
pub(super) async fn append(
    state: &AppState,
    mut tx: Tx,
    record: &RawRecord,
    entry: &Service,
) -> Result<RawRecord, ApiError> {
    let offered = db::server::checkpoint_keys(&mut tx).await?.next.map(|key| key.public_key());
    if offered.as_ref() != Some(&entry.checkpoint_key) {
        return Err(not_offered());
    }
    let mut appending = Appending::begin(state, tx, record, None).await?;
    db::server::adopt_checkpoint_key(appending.tx()).await?;
    let checkpoint = appending.commit().await?;
    tracing::info!("checkpoints are signed with a new key from now on");
    Ok(checkpoint)
}

fn not_offered() -> ApiError {
    ApiError::record_invalid("The entry names a checkpoint key that this server does not offer.")
        .hint("The server's operator makes one: `sealpost serve --new-checkpoint-key`.")
}
