//! `confirm`: admits somebody after both have compared twelve words.

use sealpost_client::{Confirmation, Role};

use super::account;
use crate::{
    args::ConfirmArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{self, word_columns},
    text::safe,
};

pub async fn run(args: ConfirmArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let confirmation = session.confirmation(&args.email).await?;
    show(&confirmation, context);
    match &args.words {
        Some(read) => compare(&confirmation, read)?,
        None => ask(&confirmation, context).await?,
    }
    let (role, replaced) = (confirmation.role(), confirmation.replaces().map(|old| old.user_id.to_string()));
    let admitted = confirmation.admit().await?;
    let email = safe(&admitted.email);
    context.printer.show(&output::Confirmed {
        user_id: admitted.user_id.to_string(),
        email: admitted.email,
        role: account::role(role).to_owned(),
        replaced: replaced.clone(),
    })?;
    if replaced.is_some() {
        context.printer.note(&format!(
            "What was shared with the old account is not open to the new one. Every owner decides for their own \
             files: sealpost reshare {email}"
        ));
        if role == Role::Ops {
            context.printer.note(
                "The new account inherits no files. What the old one had shared stays readable, marked: its sender \
                 has left.",
            );
        }
    }
    Ok(())
}

fn show(confirmation: &Confirmation, context: &Context) {
    let (email, role) = (safe(confirmation.email()), account::role_for_people(confirmation.role()));
    context.printer.note(&match confirmation.replaces() {
        None => format!("{email} has accepted your invite, to become a {role}."),
        Some(old) => format!(
            "{email} has accepted your invite to a new account, as a {role}. It takes the place of the account {}, \
             which ends.",
            old.user_id
        ),
    });
    context.printer.note(&format!(
        "Call them. They see the same words after joining, and in `sealpost whoami`:\n{}",
        word_columns(confirmation.words())
    ));
}

/// What a script, or a person on the phone, has heard.
fn compare(confirmation: &Confirmation, read: &str) -> Outcome {
    if reads(confirmation.words(), read) { Ok(()) } else { Err(differ()) }
}

/// Whether somebody has read these words, in whatever case and with whatever between them.
pub fn reads(words: &[&str], read: &str) -> bool {
    let heard = read.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    heard.map(str::to_ascii_lowercase).eq(words.iter().copied())
}

/// No flag says yes for the person: only who has heard the words can know.
async fn ask(confirmation: &Confirmation, context: &Context) -> Outcome {
    if context.prompter.says_yes() || !context.prompter.interactive() {
        return Err(Failure::new(Exit::Usage, "words_needed", "nobody is admitted without the twelve words")
            .hint(
                "Without a person to ask, and instead of -y: --words \"the words that they read to you\".",
            ));
    }
    let question = format!("Did {} read exactly these words to you? [yes/no] ", safe(confirmation.email()));
    match context.prompter.line(&question).await? {
        Some(answer) if answer.eq_ignore_ascii_case("yes") => Ok(()),
        _ => Err(differ()),
    }
}

fn differ() -> Failure {
    Failure::new(Exit::Verification, "words_differ", "the words are not confirmed: nobody was admitted").hint(
        "If theirs are other words, somebody else has used the code. Invite the person again with the same flags: the \
         new code takes the old one's place.",
    )
}
