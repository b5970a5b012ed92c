//! `logout`: ends the session, here and on the server.

use sealpost_client::SignedIn;

use crate::{context::Context, failure::Outcome, output::SignedOut};

pub async fn run(context: &Context) -> Outcome {
    SignedIn::resume(context.store()?).await?.logout().await?;
    context.printer.show(&SignedOut { signed_out: true })
}
