//! `passwd`: another password for the account on this device.

use crate::{
    args::PasswdArgs,
    context::{self, Context},
    exit::Exit,
    failure::{Failure, Outcome},
    output::PasswordChanged,
};

pub async fn run(args: PasswdArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let current = context.prompter.password_as("Current password: ").await?;
    let new = context.prompter.replacement(args.new_password_file.as_deref()).await?;
    if current == new {
        return Err(Failure::new(Exit::Usage, "password_unchanged", "the new password is the current one")
            .hint("Choose another one; nothing was changed."));
    }
    context.printer.note("Changing the password …");
    session.change_password(context::password(&current)?, context::password(&new)?).await.map_err(
        |error| match error.code() {
            "login_failed" => {
                Failure::new(Exit::Authentication, "login_failed", "this is not the current password")
                    .hint("Nothing was changed. If it is lost: `sealpost recover`, with the recovery kit.")
            }
            _ => error.into(),
        },
    )?;
    context.printer.show(&PasswordChanged { email: session.email().to_owned(), changed: true })
}
