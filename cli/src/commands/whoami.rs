//! `whoami`: who is signed in, and where.

use super::account;
use crate::{context::Context, failure::Outcome};

pub async fn run(context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    context.printer.show(&account::account(session.whoami().await?, context)?)
}
