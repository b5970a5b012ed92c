//! `rotate`: new keys for the account on this device.

use sealpost_client::{Rejected, Renewal};

use super::account;
use crate::{
    args::RotateArgs,
    context::{self, Context},
    exit::Exit,
    failure::{Failure, Outcome},
    output::{self, EndedShare, RenewedShare, RotatedKeys},
    printer::Format,
    renewal, time,
};

pub async fn run(args: RotateArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let current = context.prompter.password_as("Current password: ").await?;
    let new = match args.new_password_file.as_deref() {
        Some(path) => Some(context::password(&context.prompter.replacement(Some(path)).await?)?),
        None => None,
    };
    let rotation = session.prepare_rotation(context::password(&current)?, new).await.map_err(explain)?;
    let kit = rotation.kit();
    if context.printer.format() != Format::Json {
        account::show_kit(&kit, context).await?;
    }
    context.printer.note("Changing the keys …");
    let rotated = rotation.complete().await?;
    let (renewal, interrupted) = match rotated.me.renew_shares().await {
        Ok(renewal) => (renewal, None),
        Err(error) => (Renewal::default(), Some(error)),
    };
    renewal::tell(&renewal, rotated.me.email(), &context.printer);
    let complete = interrupted.is_none();
    let output = RotatedKeys {
        email: rotated.me.email().to_owned(),
        recovery_kit: account::kit_output(kit),
        cancelled_invites: rotated.cancelled,
        complete,
        files: renewal.files,
        shares: renewal.shares.into_iter().map(renewed).collect(),
        ended: renewal.ended.into_iter().map(ended).collect(),
        rejected: renewal.rejected.into_iter().map(rejected).collect(),
    };
    context.printer.show(&output)?;
    interrupted.map_or(Ok(()), |error| {
        let failure = Failure::from(error);
        let message =
            format!("the keys are changed, but not all that you share was made anew: {}", failure.message);
        Err(Failure { message, ..failure }
            .hint("The next command of yours goes on with it, whichever it is."))
    })
}

fn explain(error: sealpost_client::Error) -> Failure {
    match error.code() {
        "login_failed" => {
            Failure::new(Exit::Authentication, "login_failed", "this is not the current password")
                .hint("Nothing was changed. If it is lost: `sealpost recover`, with the recovery kit.")
        }
        _ => error.into(),
    }
}

fn renewed(share: sealpost_client::RenewedShare) -> RenewedShare {
    RenewedShare {
        file_id: share.file.file_id.to_string(),
        name: share.file.name,
        email: share.recipient.email,
        expires_at: share.terms.expires_at.map(time::rfc3339),
        download_limit: share.terms.downloads,
    }
}

fn ended(share: sealpost_client::EndedShare) -> EndedShare {
    EndedShare { file_id: share.file_id.to_string(), email: share.recipient.email }
}

fn rejected(rejected: Rejected) -> output::Rejected {
    let Rejected { file_id, error } = rejected;
    output::Rejected {
        file_id: file_id.to_string(),
        code: error.code().to_owned(),
        message: error.to_string(),
    }
}
