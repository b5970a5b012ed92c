//! `serve`: the server, until Ctrl-C or SIGTERM.

use std::{io::IsTerminal, path::Path};

use sealpost_server::{Blobs, Config, Database, StartError, TlsFiles};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    args::{BlobsArg, DatabaseArg, ServeArgs},
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{SecretText, Started},
    printer::Format,
    signal,
};

/// Beside the data, while no organisation is founded.
const SETUP_TOKEN_FILE: &str = "setup-token";

pub async fn run(args: ServeArgs, context: &Context) -> Outcome {
    let config = config(args, context)?;
    log_to_stderr(context.printer.format());
    let data = config.data.clone();
    let first_start = !data.join(SETUP_TOKEN_FILE).exists();
    let running = sealpost_server::start(config).await.map_err(start_failure)?;
    let token = running.setup_token().map(|token| SecretText::new(token.expose().to_owned()));
    let shown = context.printer.show(&Started {
        url: running.url(),
        data: data.display().to_string(),
        setup_token_file: token.as_ref().map(|_| data.join(SETUP_TOKEN_FILE).display().to_string()),
        setup_token: token.filter(|_| first_start),
        service_words: running.service_words().map(|words| words.map(str::to_owned).to_vec()),
        missing_log: running.missing_log(),
    });
    if shown.is_ok() {
        signal::stop().await;
        context.printer.note("Stopping: requests under way may finish.");
    }
    running.stop().await;
    shown
}

fn config(args: ServeArgs, context: &Context) -> Outcome<Config> {
    let data = args.data.unwrap_or_else(|| context.home.server_data.clone());
    let mut config = Config::new(absolute(&data)?);
    config.listen = args.listen;
    match args.database.or(database_url()?) {
        Some(DatabaseArg::Postgres(url)) => config = config.postgres(url),
        Some(DatabaseArg::Sqlite(path)) => config.database = Database::Sqlite(path),
        None => {}
    }
    match args.blobs {
        Some(BlobsArg::Database) => config.blobs = Blobs::Database,
        Some(BlobsArg::Folder(folder)) => config.blobs = Blobs::Folder(folder),
        Some(BlobsArg::S3) => return Err(Failure::later("--blobs s3://")),
        None => {}
    }
    config.new_checkpoint_key = args.new_checkpoint_key;
    config.confirm_restore = args.confirm_restore;
    config.tls = args.tls_cert.zip(args.tls_key).map(|(certificate, key)| TlsFiles { certificate, key });
    Ok(config)
}

/// `DATABASE_URL`, which hosting platforms set.
fn database_url() -> Outcome<Option<DatabaseArg>> {
    let Ok(url) = std::env::var("DATABASE_URL") else { return Ok(None) };
    url.parse().map(Some).map_err(|why| {
        Failure::usage(format!("the variable DATABASE_URL is not usable: {why}"))
            .hint("Mend it, or name the database with --database.")
    })
}

fn absolute(path: &Path) -> Outcome<std::path::PathBuf> {
    std::path::absolute(path).map_err(|error| Failure::local("use", path, &error))
}

/// JSON lines for machines, plain lines for a person at a terminal. `SEALPOST_LOG` filters.
fn log_to_stderr(format: Format) {
    let filter = EnvFilter::try_from_env("SEALPOST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if format == Format::Human && std::io::stderr().is_terminal() {
        logs.with_target(false).init();
    } else {
        logs.json().init();
    }
}

fn start_failure(error: StartError) -> Failure {
    let exit = match &error {
        StartError::File { .. } | StartError::FolderInUse(_) | StartError::Sqlite { .. } => Exit::LocalFile,
        StartError::Tls { .. } => Exit::LocalFile,
        _ => Exit::Network,
    };
    Failure::new(exit, "server_start", error.to_string())
}
