//! `evidence`: what proves a delivery to others, verified and written to a file.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use sealpost_client::{Disclosure, Evidence};

use crate::{
    args::EvidenceArgs,
    commands::verify_evidence::report,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{WrittenEvidence, count},
    printer::{Format, Printer},
};

pub async fn run(args: EvidenceArgs, context: &Context) -> Outcome {
    let path = args.output.unwrap_or_else(|| PathBuf::from(format!("evidence-{}.json", args.file)));
    let to_stdout = path.as_os_str() == "-";
    if to_stdout && context.printer.format() == Format::Json {
        return Err(Failure::usage("standard output can't hold both the evidence and JSON about it")
            .hint("Name a path with -o."));
    }
    if !args.force && std::fs::symlink_metadata(&path).is_ok() {
        return Err(exists(&path));
    }
    let session = context.signed_in().await?;
    let disclosure = if args.disclose { Disclosure::FileKey } else { Disclosure::Closed };
    let evidence = session.evidence(args.file, args.recipient.as_ref(), disclosure).await.map_err(|error| {
        Failure::from(error).or_hint(
            "`sealpost ls` lists your files, `sealpost shared` what you can still download: evidence needs either.",
        )
    })?;
    if to_stdout {
        write_out(&evidence)?;
        warn(&context.printer, &evidence, "what stands on standard output");
        return Ok(());
    }
    save(&evidence, &path, args.force)?;
    warn(&context.printer, &evidence, &path.display().to_string());
    context.printer.show(&WrittenEvidence {
        path: path.display().to_string(),
        disclosed: args.disclose,
        evidence: report(evidence.verdict(), None),
    })
}

/// Says what the file holds, so that nobody passes it on unaware.
fn warn(printer: &Printer, evidence: &Evidence, name: &str) {
    let verdict = evidence.verdict();
    let people = count(verdict.deliveries.len() as u64, "recipient");
    printer.note(&format!(
        "{name} is confidential. It holds the addresses of the sender and {people}, the organisation's log \
         with all members' public keys, the sealed name of the file, and what was signed."
    ));
    if verdict.is_disclosed() {
        printer.warn(
            "it also holds the key of this file: whoever gets it can read name, size and note, and together with the \
             ciphertext, which the server has, the content",
        );
    }
}

/// Under a temporary name first, readable for nobody else; never over what is there unless asked to.
fn save(evidence: &Evidence, path: &Path, force: bool) -> Outcome {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error: &std::io::Error| Failure::local("write", path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    file.write_all(evidence.bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    let kept = if force { file.persist(path) } else { file.persist_noclobber(path) };
    kept.map(drop).map_err(|refused| match refused.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => failed(&refused.error),
    })
}

fn write_out(evidence: &Evidence) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(evidence.bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        Failure::new(Exit::LocalFile, "stdout", format!("can't write to standard output: {error}"))
            .hint("Check where the output goes, and that there is room.")
    })
}

fn exists(path: &Path) -> Failure {
    Failure::new(Exit::LocalFile, "destination_exists", format!("{} is there already", path.display()))
        .hint("Name another path with -o, or overwrite it with -f.")
}
