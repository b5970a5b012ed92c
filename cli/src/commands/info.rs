//! `info`: everything verified about one file.

use sealpost_client::FileAccess;

use super::{ls, shared};
use crate::{
    args::InfoArgs,
    context::Context,
    failure::{Failure, Outcome},
    output::{FileReport, ReportedFile},
};

pub async fn run(args: InfoArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let details = session.file(args.file).await.map_err(|error| {
        Failure::from(error).or_hint("`sealpost ls` and `sealpost shared` list the files that you can see.")
    })?;
    let (own, file) = match details.access {
        FileAccess::Own(file) => (true, ReportedFile::Own(ls::file(file))),
        FileAccess::Shared(file) => (false, ReportedFile::Received(shared::file(file))),
    };
    context.printer.show(&FileReport { own, stored_size: details.stored_size, file })
}
