//! `upload`: seals files and stores them, and shares them at once with `--to`.

mod paths;

use std::{io, path::Path};

use sealpost_client::{Again, EmailAddress, NewFile, SignedIn, Terms, Uploaded as Stored};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt, stdin},
};

use self::paths::Source;
use crate::{
    args::UploadArgs,
    commands::{
        items::Items,
        share::{distinct, share, terms},
    },
    context::Context,
    failure::{Failure, Outcome},
    output::{ItemError, SharedWith, Uploaded, Uploads},
    progress::Meter,
    prompt::Prompter,
};

/// What is the same for every file of one command.
struct Delivery<'a> {
    context: &'a Context,
    session: SignedIn,
    recipients: Vec<EmailAddress>,
    terms: Terms,
    note: String,
    stdin_name: String,
}

pub async fn run(args: UploadArgs, context: &Context) -> Outcome {
    let sources = paths::expand(&args.paths)?;
    refuse_shared_stdin(&sources, &context.prompter)?;
    let delivery = Delivery {
        context,
        recipients: distinct(args.to),
        session: context.signed_in().await?,
        terms: terms(args.terms),
        note: args.note,
        stdin_name: args.name,
    };
    let mut items = Items::new(sources.len().max(delivery.recipients.len()));
    let mut files = Vec::with_capacity(sources.len());
    for source in &sources {
        files.push(delivery.deliver(source, &mut items).await);
    }
    context.printer.show(&Uploads { files })?;
    items.finish(&context.printer)
}

impl Delivery<'_> {
    /// One file's failure does not stop the others.
    async fn deliver(&self, source: &Source, items: &mut Items) -> Uploaded {
        let uploaded = match source {
            Source::Stdin => self.upload_stdin().await,
            Source::File(path) => self.upload_file(path).await,
        };
        let name = match source {
            Source::Stdin => self.stdin_name.clone(),
            Source::File(path) => path.display().to_string(),
        };
        match uploaded {
            Ok(file) => self.share(file, items).await,
            Err(failure) => {
                let error = Some(ItemError::from(&failure));
                items.fail(&name, failure);
                Uploaded { file_id: None, name, size: 0, shares: Vec::new(), error }
            }
        }
    }

    async fn upload_file(&self, path: &Path) -> Outcome<Stored> {
        let again = if self.context.prompter.says_yes() { Again::Allow } else { Again::Refuse };
        let meter = Meter::new(&self.context.printer, &path.display().to_string());
        Ok(self.session.upload_path(path, &self.note, again, &meter.callback()).await?)
    }

    async fn upload_stdin(&self) -> Outcome<Stored> {
        let (file, size) = spool(&self.context.home.state).await?;
        let what = NewFile {
            name: self.stdin_name.clone(),
            media_type: String::new(),
            size,
            modified: 0,
            note: self.note.clone(),
        };
        let meter = Meter::new(&self.context.printer, &self.stdin_name);
        Ok(self.session.upload(file, what, &meter.callback()).await?)
    }

    async fn share(&self, file: Stored, items: &mut Items) -> Uploaded {
        let shares = if self.recipients.is_empty() { Vec::new() } else { self.shares(&file, items).await };
        Uploaded {
            file_id: Some(file.file_id.to_string()),
            name: file.file.name,
            size: file.file.size,
            shares,
            error: None,
        }
    }

    async fn shares(&self, file: &Stored, items: &mut Items) -> Vec<SharedWith> {
        match share(&self.session, file.file_id, &self.recipients, self.terms, items).await {
            Ok(shares) => shares,
            Err(failure) => {
                let error = |email: &EmailAddress| SharedWith::failed(email.to_string(), &failure);
                let shares = self.recipients.iter().map(error).collect();
                items.fail(&file.file.name, failure);
                shares
            }
        }
    }
}

/// The size must be known before the first byte is sealed, so a pipe goes to an unnamed file first, which
/// vanishes with this process.
async fn spool(folder: &Path) -> Outcome<(File, u64)> {
    let failed = |error: io::Error| Failure::local("keep standard input in", folder, &error);
    let mut file = File::from_std(tempfile::tempfile_in(folder).map_err(failed)?);
    let size = tokio::io::copy(&mut stdin(), &mut file).await.map_err(failed)?;
    file.flush().await.map_err(failed)?;
    file.rewind().await.map_err(failed)?;
    Ok((file, size))
}

fn refuse_shared_stdin(sources: &[Source], prompter: &Prompter) -> Outcome {
    let from_stdin = sources.iter().filter(|source| matches!(source, Source::Stdin)).count();
    if from_stdin > 1 {
        return Err(Failure::usage("standard input can only be uploaded once"));
    }
    if from_stdin == 1 && prompter.reads_stdin() {
        return Err(Failure::usage("standard input can't hold both the password and the file"));
    }
    Ok(())
}
