//! `verify-evidence`: whether evidence holds. Offline, on any machine: no server, no account, no home folder.

use std::{fs::File, io::Read, path::Path};

use sealpost_client::{
    Examined, MAX_EVIDENCE_BYTES, Party, ProvenDelivery, Role, SameContent, Verdict, compare_with_evidence,
    examine_evidence, is_fork_proof,
};
use tokio::{io::AsyncRead, runtime::Runtime};

use crate::{
    args::VerifyEvidenceArgs,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{
        DisclosedFile, EvidenceReport, ForkReport, ForkStatement, ProvenParty, ProvenReceipt, ProvenShare,
    },
    printer::Printer,
    signal, time,
};

/// The standard streams' name.
const STREAM: &str = "-";

pub fn run(args: &VerifyEvidenceArgs, printer: &Printer) -> Outcome {
    let runtime = Runtime::new().map_err(|error| {
        Failure::new(Exit::LocalFile, "runtime", format!("can't start the runtime: {error}"))
            .hint("The system has no room for another program: end some, then try again.")
    })?;
    let outcome = runtime.block_on(signal::until_interrupted(verify(args, printer)));
    // Standard input may still be waited for.
    runtime.shutdown_background();
    outcome
}

async fn verify(args: &VerifyEvidenceArgs, printer: &Printer) -> Outcome {
    if is_stream(&args.bundle) && args.file.as_deref().is_some_and(is_stream) {
        return Err(Failure::usage("standard input can't be both the evidence and the file")
            .hint("Put one of the two into a file."));
    }
    let bytes = read(&args.bundle)?;
    match examine_evidence(&bytes, args.org) {
        Ok(Examined::Delivery(verdict)) => {
            let content = match &args.file {
                Some(path) => Some(compare(&verdict, path).await?),
                None => None,
            };
            printer.show(&report(&verdict, content))
        }
        Ok(Examined::Fork(_)) if args.file.is_some() => {
            Err(Failure::usage("this is the proof of two histories, not evidence of a file")
                .hint("Leave --file out."))
        }
        Ok(Examined::Fork(fork)) => printer.show(&ForkReport {
            proven: true,
            org_id: fork.org_id().to_string(),
            org_name: fork.organisation().to_owned(),
            size: fork.size(),
            heads: fork.heads().iter().map(ToString::to_string).collect(),
            statements: fork
                .checkpoints()
                .iter()
                .map(|signed| ForkStatement { size: signed.log_size, head: signed.log_head.to_string() })
                .collect(),
        }),
        Err(error) if is_fork_proof(&bytes) => {
            Err(Failure::from(error).about("not proven that the server signed two different histories"))
        }
        Err(error) => Err(Failure::from(error).about("the evidence does not hold")),
    }
}

async fn compare(verdict: &Verdict, path: &Path) -> Outcome<SameContent> {
    let same = if is_stream(path) {
        compare_with_evidence(verdict, tokio::io::stdin()).await
    } else {
        let file = tokio::fs::File::open(path).await.map_err(|error| Failure::local("read", path, &error))?;
        compare_with_evidence(verdict, Box::new(file) as Box<dyn AsyncRead + Unpin>).await
    };
    same.map_err(|error| Failure::from(error).about(&path.display().to_string()))
}

/// At most one byte more than any evidence has.
fn read(path: &Path) -> Outcome<Vec<u8>> {
    let failed = |error: std::io::Error| Failure::local("read", path, &error);
    let mut source: Box<dyn Read> = if is_stream(path) {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    source.by_ref().take(MAX_EVIDENCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn is_stream(path: &Path) -> bool {
    path.as_os_str() == STREAM
}

/// A verdict as output.
pub fn report(verdict: &Verdict, content: Option<SameContent>) -> EvidenceReport {
    EvidenceReport {
        valid: true,
        org_id: verdict.org_id.to_string(),
        org_name: verdict.organisation.clone(),
        log_size: verdict.log_size,
        log_head: verdict.log_head.to_string(),
        file_id: verdict.file_id.to_string(),
        version: verdict.version,
        manifest: verdict.manifest.to_string(),
        stored_size: verdict.layout.ciphertext_length(),
        sealed_at: time::rfc3339(verdict.sealed_at),
        file: verdict.metadata.as_ref().map(|metadata| DisclosedFile {
            name: metadata.name.0.clone(),
            size: metadata.size,
            media_type: metadata.media_type.0.clone(),
            note: metadata.note.0.clone(),
        }),
        content: content.map(|_| "same".to_owned()),
        sender: party(&verdict.sender),
        deliveries: verdict.deliveries.iter().map(delivery).collect(),
    }
}

fn delivery(proven: &ProvenDelivery) -> ProvenShare {
    ProvenShare {
        recipient: party(&proven.recipient),
        share: proven.share.to_string(),
        shared_at: time::rfc3339(proven.shared_at),
        expires_at: (proven.expiry != 0).then(|| time::rfc3339(proven.expiry)),
        download_limit: (proven.limit != 0).then_some(proven.limit),
        log_size: proven.log_size,
        proves: proven.proves.code().to_owned(),
        marks: proven.marks.iter().map(|mark| mark.code().to_owned()).collect(),
        receipts: proven
            .receipts
            .iter()
            .map(|receipt| ProvenReceipt {
                receipt: receipt.id.to_string(),
                time: time::rfc3339(receipt.time),
                log_size: receipt.log_size,
                mark: receipt.mark.map(|mark| mark.code().to_owned()),
            })
            .collect(),
    }
}

fn party(party: &Party) -> ProvenParty {
    ProvenParty {
        user_id: party.user_id.to_string(),
        email: party.email.clone(),
        name: party.name.clone(),
        role: if party.role == Role::Ops { "ops" } else { "client" }.to_owned(),
        certified_by: party.certified_by.to_string(),
    }
}
