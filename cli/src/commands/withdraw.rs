//! `withdraw`: takes files of former members out of circulation.

use sealpost_client::{EmailAddress, FileId, SignedIn};

use crate::{
    args::WithdrawArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{ItemError, Withdrawals, Withdrawn, count},
};

pub async fn run(args: WithdrawArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let files = match &args.all_of {
        Some(email) => all_of(&session, email).await?,
        None => args.files,
    };
    let question = format!("Take {} out of circulation, for everybody?", count(files.len() as u64, "file"));
    if !files.is_empty() && !context.prompter.confirm(&question).await? {
        return Err(
            Failure::new(Exit::Usage, "declined", "nothing was withdrawn").hint("To go on, answer y.")
        );
    }
    let mut withdrawals = Withdrawals { files: Vec::with_capacity(files.len()) };
    let mut failed = None;
    for file_id in files {
        let outcome = session.withdraw(file_id).await.map_err(Failure::from);
        let error = outcome.as_ref().err().map(ItemError::from);
        withdrawals.files.push(Withdrawn { file_id: file_id.to_string(), withdrawn: error.is_none(), error });
        if let Err(failure) = outcome {
            let failure = failure.about(&file_id.to_string());
            context.printer.failure(&failure);
            failed.get_or_insert(failure.exit);
        }
    }
    context.printer.show(&withdrawals)?;
    failed.map_or(Ok(()), |exit| Err(Failure::silent(exit)))
}

/// What is still in circulation.
async fn all_of(session: &SignedIn, email: &EmailAddress) -> Outcome<Vec<FileId>> {
    let (mut files, mut cursor) = (Vec::new(), None);
    loop {
        let page = session.left_files(email, cursor).await?;
        files.extend(page.items.iter().filter(|file| file.withdrawn_by.is_none()).map(|file| file.file_id));
        // What does not verify is still the server's to stop serving.
        files.extend(page.rejected.iter().map(|entry| entry.file_id));
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(files),
        }
    }
}
