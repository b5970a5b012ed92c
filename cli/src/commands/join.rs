//! `join`: accepts an invite.

use sealpost_client::{InviteLink, InvitePreview, ServerUrl};
use zeroize::Zeroizing;

use super::account;
use crate::{
    args::JoinArgs,
    context::{self, Context},
    exit::Exit,
    failure::{Failure, Outcome},
    prompt::{self, Secret},
    text::safe,
    time,
};

pub async fn run(args: JoinArgs, context: &Context) -> Outcome {
    let invite = parse(&code(args.code, context).await?)?;
    let server = context.server_or(invite.server.as_deref())?;
    let preview = context.anonymous(&server, args.keep).await?.preview(invite.code).await?;
    if !confirm(&preview, &server, context).await? {
        return Err(Failure::new(Exit::Usage, "declined", "you did not accept the invite")
            .hint("Nothing was sent; the code still works."));
    }
    let password = context.prompter.new_password().await?;
    context.printer.note("Making your keys …");
    account::enrol(preview.join(context::password(&password)?).await?, context).await.map(|_| ())
}

fn parse(text: &str) -> Outcome<InviteLink> {
    text.parse::<InviteLink>().map_err(|error| {
        Failure::new(Exit::Authentication, error.code(), error.to_string())
            .hint("Copy the code or the whole link exactly as your sender gave it.")
    })
}

async fn code(given: Option<String>, context: &Context) -> Outcome<Secret> {
    match given.as_deref() {
        Some("-") if context.prompter.reads_stdin() => {
            Err(Failure::usage("standard input can't hold both the code and the password")
                .hint("Use --password-file FILE."))
        }
        Some("-") => prompt::secret_stdin().await,
        Some(code) => Ok(Zeroizing::new(code.to_owned())),
        None => match context.prompter.line("Invite code or link: ").await? {
            Some(code) => Ok(Zeroizing::new(code)),
            None => Err(Failure::usage("no invite code was given")
                .hint("Give the code or link; - reads it from stdin.")),
        },
    }
}

async fn confirm(preview: &InvitePreview, server: &ServerUrl, context: &Context) -> Outcome<bool> {
    let inviter = account::person(preview.inviter().clone()).human();
    let lines = [
        ("Server", safe(server.as_str())),
        ("Organisation", safe(preview.organisation())),
        ("Invited by", inviter),
        ("You join as", format!("{} ({})", safe(preview.email()), account::role(preview.role()))),
        ("Until", time::rfc3339(preview.expires_at())),
    ];
    for (label, value) in lines {
        context.printer.note(&format!("{label:<13} {value}"));
    }
    context.prompter.confirm("Do you know them and did you expect this invite?").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_code_is_caught_before_anything_is_sent() {
        for wrong in ["https://h.example/join#0000-0000", "", "https://h.example/", "not a code"] {
            assert_eq!(parse(wrong).unwrap_err().exit, Exit::Authentication, "{wrong:?}");
        }
    }
}
