//! `download`: fetches, verifies and opens files.

use std::path::{Path, PathBuf};

use sealpost_client::{Download, Downloaded as Written, Error, FileId, Overwrite, SignedIn};
use tokio::io::stdout;

use super::account::person;
use crate::{
    args::DownloadArgs,
    commands::items::Items,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Downloaded, Downloads, ItemError},
    printer::Format,
    progress::Meter,
    time,
};

/// Where files go.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    /// Standard output.
    Stdout,
    /// Exactly there.
    File(PathBuf),
    /// Into this folder, each under its own name made safe.
    Folder(PathBuf),
}

pub async fn run(args: DownloadArgs, context: &Context) -> Outcome {
    let destination = Destination::new(args.output.as_deref(), args.files.len())?;
    if destination == Destination::Stdout && context.printer.format() == Format::Json {
        return Err(
            Failure::usage("standard output can't hold both the file and JSON").hint("Name a path with -o.")
        );
    }
    let overwrite = if args.force { Overwrite::Replace } else { Overwrite::Never };
    let session = context.signed_in().await?;
    let mut items = Items::new(args.files.len());
    let mut files = Vec::with_capacity(args.files.len());
    for file in args.files {
        match fetch(&session, file, &destination, overwrite, context).await {
            Ok(downloaded) => files.push(downloaded),
            Err(failure) => {
                files.push(failed(file, &failure));
                items.fail(&file.to_string(), failure);
            }
        }
    }
    if destination != Destination::Stdout {
        context.printer.show(&Downloads { files })?;
    }
    items.finish(&context.printer)
}

async fn fetch(
    session: &SignedIn,
    file: FileId,
    destination: &Destination,
    overwrite: Overwrite,
    context: &Context,
) -> Outcome<Downloaded> {
    let download = session.download(file).await.map_err(not_here)?;
    let mut downloaded = Downloaded {
        file_id: file.to_string(),
        name: download.name().to_owned(),
        version: download.version(),
        sealed_at: Some(time::rfc3339(download.sealed_at())),
        size: download.size(),
        from: Some(person(download.from().clone())),
        sender_left: download.sender_left(),
        path: None,
        receipt_sent: false,
        error: None,
    };
    let meter = Meter::new(&context.printer, download.name());
    let written = write(download, destination, overwrite, &meter).await?;
    (downloaded.version, downloaded.sealed_at) = (written.version, Some(time::rfc3339(written.sealed_at)));
    downloaded.receipt_sent = written.receipt_sent;
    if !written.receipt_sent {
        context.printer.note(
            "The file is complete; its receipt has not reached the server yet: the next download sends it.",
        );
    }
    downloaded.path = Some(written.path.map_or_else(|| "-".to_owned(), |path| path.display().to_string()));
    Ok(downloaded)
}

async fn write(
    download: Download,
    destination: &Destination,
    overwrite: Overwrite,
    meter: &Meter,
) -> Outcome<Written> {
    let path = match destination {
        Destination::Stdout => return Ok(download.to_writer(stdout(), &meter.callback()).await?),
        Destination::File(path) => path.clone(),
        Destination::Folder(folder) => folder.join(download.safe_name().as_str()),
    };
    Ok(download.to_path(&path, overwrite, &meter.callback()).await?)
}

/// The server does not tell apart what it must not tell apart; a person wants to know what it may mean.
fn not_here(error: Error) -> Failure {
    let failure = Failure::from(error);
    if failure.exit != Exit::NotFound {
        return failure;
    }
    Failure {
        message: "no such file, or no longer shared with you: expired, used up or ended".to_owned(),
        ..failure
    }
    .or_hint("`sealpost shared` lists what you can download now; else ask the sender.")
}

fn failed(file: FileId, failure: &Failure) -> Downloaded {
    let error = Some(ItemError::from(failure));
    Downloaded {
        file_id: file.to_string(),
        name: String::new(),
        version: 0,
        sealed_at: None,
        size: 0,
        from: None,
        sender_left: false,
        path: None,
        receipt_sent: false,
        error,
    }
}

impl Destination {
    /// What `-o` means for so many files. A path that ends in a slash, or stands for several files, is a folder,
    /// made if need be.
    fn new(output: Option<&Path>, files: usize) -> Outcome<Self> {
        let Some(path) = output else { return Ok(Self::Folder(PathBuf::new())) };
        if path.as_os_str() == "-" {
            return match files {
                1 => Ok(Self::Stdout),
                _ => Err(Failure::usage("only one file fits standard output").hint("Name a folder with -o.")),
            };
        }
        let named_as_folder = path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
        if !path.is_dir() && !named_as_folder && files == 1 {
            return Ok(Self::File(path.to_owned()));
        }
        std::fs::create_dir_all(path).map_err(|error| Failure::local("make the folder", path, &error))?;
        Ok(Self::Folder(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_a_file_a_folder_or_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(Destination::new(None, 2).unwrap(), Destination::Folder(PathBuf::new()));
        assert_eq!(Destination::new(Some(Path::new("-")), 1).unwrap(), Destination::Stdout);
        assert!(Destination::new(Some(Path::new("-")), 2).is_err());
        assert_eq!(Destination::new(Some(&path("a")), 1).unwrap(), Destination::File(path("a")));
        assert!(!path("a").exists());
        assert_eq!(Destination::new(Some(dir.path()), 1).unwrap(), Destination::Folder(dir.path().into()));
        for (name, files) in [("new/", 1), ("many", 2)] {
            assert_eq!(Destination::new(Some(&path(name)), files).unwrap(), Destination::Folder(path(name)));
            assert!(path(name).is_dir());
        }
    }
}
