//! `service`: a new key for the server to sign checkpoints with.

use super::confirm::reads;
use crate::{
    args::ServiceArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{ServiceKey, word_columns},
};

pub async fn run(args: ServiceArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let key = session.service_key().await?;
    let words = *key.words();
    context.printer.note(&format!(
        "The server offers a new key for checkpoints. Its console shows the same words, if it is the server's:\n{}",
        word_columns(&words)
    ));
    match &args.words {
        Some(read) if reads(&words, read) => {}
        Some(_) => return Err(differ()),
        None => ask(context).await?,
    }
    key.accept().await?;
    context.printer.show(&ServiceKey { words: words.map(str::to_owned).to_vec() })
}

/// No flag says yes for the person: only who has compared the words can know.
async fn ask(context: &Context) -> Outcome {
    if context.prompter.says_yes() || !context.prompter.interactive() {
        return Err(Failure::new(Exit::Usage, "words_needed", "no key is signed without the twelve words")
            .hint(
                "Without a person to ask, and instead of -y: --words \"the words on the server's console\".",
            ));
    }
    match context.prompter.line("Does the server's console show exactly these words? [yes/no] ").await? {
        Some(answer) if answer.eq_ignore_ascii_case("yes") => Ok(()),
        _ => Err(differ()),
    }
}

fn differ() -> Failure {
    Failure::new(Exit::Verification, "words_differ", "the words are not the same: no key was signed")
        .hint("Whoever runs the server must know: somebody offers you another key than theirs.")
}
