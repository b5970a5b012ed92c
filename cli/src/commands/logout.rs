//! `logout`: ends the session, here and on the server.

use crate::{context::Context, failure::Outcome, output::SignedOut};

pub async fn run(context: &Context) -> Outcome {
    context.session().await?.logout().await?;
    context.printer.show(&SignedOut { signed_out: true })
}
