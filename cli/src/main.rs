//! `sealpost`: server and command line.

mod args;
mod commands;
mod config;
mod context;
mod exit;
mod failure;
mod hint;
mod keyring;
mod keys;
mod kit;
mod output;
mod printer;
mod progress;
mod prompt;
mod qr;
mod renewal;
mod sign_in;
mod signal;
mod text;
mod time;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use crate::{args::Cli, exit::Exit, failure::Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    // Fails only when a provider was installed before, which then is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let printer = context::printer(&cli.global);
    match commands::run(cli, printer) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Help and version on standard output; a mistake on standard error, and as JSON too if that was asked for.
fn usage(error: &clap::Error) -> Exit {
    // When the standard streams are gone there is nowhere left to say so.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Ok;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let failure = Failure::usage(summary(&error.render().to_string())).hint("Run `sealpost --help`.");
        let _ = std::io::stderr().write_all((hint::json(&failure) + "\n").as_bytes());
    }
    Exit::Usage
}

/// The first paragraph of clap's message, on one line: what is wrong, without the usage that follows.
fn summary(message: &str) -> String {
    let paragraph = message.trim_start_matches("error: ").lines().take_while(|line| !line.trim().is_empty());
    paragraph.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_names_what_is_missing() {
        let error = Cli::try_parse_from(["sealpost", "upload", "--json"]).unwrap_err();
        let summary = summary(&error.render().to_string());
        assert_eq!(summary, "the following required arguments were not provided: <PATH>...");
    }
}
