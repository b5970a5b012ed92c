//! `rm`: deletes a file of the caller's, for everybody.

use sealpost_client::{FileAccess, FileId, SignedIn};

use super::share::own_file;
use crate::{
    args::RmArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::Removed,
    text::safe,
};

pub async fn run(args: RmArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let question = format!("Delete {} for everybody?", describe(&session, args.file).await);
    if !context.prompter.confirm(&question).await? {
        return Err(Failure::new(Exit::Usage, "declined", "nothing was deleted").hint("To go on, answer y."));
    }
    session.remove(args.file).await.map_err(own_file)?;
    context.printer.show(&Removed { file_id: args.file.to_string(), removed: true })
}

/// Its name where it has a verified one: an upload that was never finished has none, nor has a damaged file, and
/// both may be deleted.
async fn describe(session: &SignedIn, file_id: FileId) -> String {
    match session.file(file_id).await.map(|details| details.access) {
        Ok(FileAccess::Own(own)) => format!("{} ({file_id})", safe(&own.file.name)),
        _ => file_id.to_string(),
    }
}
