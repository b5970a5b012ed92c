//! `upload`: seals files and stores them, and shares them at once with `--to`.

mod paths;

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use sealpost_client::{Again, EmailAddress, Error, NewFile, Sent, SignedIn, Terms, Uploaded as Stored};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt, stdin},
};

use self::paths::Source;
use crate::{
    args::UploadArgs,
    commands::{
        items::Items,
        share::{distinct, entry, share, terms},
    },
    context::Context,
    failure::{Failure, Outcome},
    output::{ItemError, SharedWith, Uploaded, Uploads, count},
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
    // Standard input has its turn between the files before it and those after.
    for run in sources.split_inclusive(|source| matches!(source, Source::Stdin)) {
        files.extend(delivery.deliver(run, &mut items).await?);
    }
    context.printer.show(&Uploads { files })?;
    items.finish(&context.printer)
}

impl Delivery<'_> {
    /// Files, and perhaps standard input after them. One's failure does not stop the others.
    async fn deliver(&self, sources: &[Source], items: &mut Items) -> Outcome<Vec<Uploaded>> {
        let paths = sources.iter().filter_map(|source| match source {
            Source::File(path) => Some(path.clone()),
            Source::Stdin => None,
        });
        let paths: Vec<PathBuf> = paths.collect();
        let mut uploaded =
            if paths.is_empty() { Vec::new() } else { self.upload_files(&paths, items).await? };
        if uploaded.len() < sources.len() {
            uploaded.push(match self.upload_stdin().await {
                Ok(file) => self.share(file, items).await,
                Err(failure) => failed(&self.stdin_name, failure, items),
            });
        }
        Ok(uploaded)
    }

    async fn upload_files(&self, paths: &[PathBuf], items: &mut Items) -> Outcome<Vec<Uploaded>> {
        let again = if self.context.prompter.says_yes() { Again::Allow } else { Again::Refuse };
        let recipients: Vec<_> = self.recipients.iter().map(|email| (email.clone(), self.terms)).collect();
        let delivery = |path: &PathBuf| sealpost_client::Delivery {
            path: path.clone(),
            note: self.note.clone(),
            recipients: recipients.clone(),
        };
        let deliveries: Vec<_> = paths.iter().map(delivery).collect();
        let label = match paths {
            [only] => only.display().to_string(),
            several => count(several.len() as u64, "file"),
        };
        let meter = Meter::new(&self.context.printer, &label);
        let mut uploaded = Vec::with_capacity(paths.len());
        let mut done = |at: usize, sent: Result<Sent, Error>| {
            uploaded.push(match sent {
                Ok(sent) => self.sent(sent, items),
                Err(error) => failed(&paths[at].display().to_string(), error.into(), items),
            });
            ControlFlow::Continue(())
        };
        self.session.upload_many(&deliveries, again, &meter.callback(), &mut done).await?;
        Ok(uploaded)
    }

    fn sent(&self, sent: Sent, items: &mut Items) -> Uploaded {
        let shares = sent.shares.into_iter().map(|outcome| entry(outcome, self.terms, items)).collect();
        shown(sent.file, shares)
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
        shown(file, shares)
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

fn shown(file: Stored, shares: Vec<SharedWith>) -> Uploaded {
    Uploaded {
        file_id: Some(file.file_id.to_string()),
        name: file.file.name,
        size: file.file.size,
        shares,
        error: None,
    }
}

fn failed(name: &str, failure: Failure, items: &mut Items) -> Uploaded {
    let error = Some(ItemError::from(&failure));
    items.fail(name, failure);
    Uploaded { file_id: None, name: name.to_owned(), size: 0, shares: Vec::new(), error }
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
        return Err(Failure::usage("standard input can only be uploaded once").hint("Give - once."));
    }
    if from_stdin == 1 && prompter.reads_stdin() {
        return Err(Failure::usage("standard input can't hold both the password and the file")
            .hint("Use --password-file FILE."));
    }
    Ok(())
}
