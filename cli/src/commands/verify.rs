//! `verify`: the twelve words that two people compare.

use super::account;
use crate::{args::VerifyArgs, context::Context, failure::Outcome, output::Words};

pub async fn run(args: VerifyArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let verification = session.verify(&args.email).await?;
    context.printer.show(&Words {
        user_id: verification.person.user_id.to_string(),
        email: verification.person.email,
        name: verification.person.name,
        role: account::role(verification.role).to_owned(),
        words: verification.words.map(str::to_owned).to_vec(),
        keys_changed: verification.keys_changed.map(account::keys_changed),
    })?;
    context.printer.note(
        "Let them run `sealpost verify` with your address, and compare by phone or face to face. All twelve \
         the same: nobody stands in between.",
    );
    Ok(())
}
