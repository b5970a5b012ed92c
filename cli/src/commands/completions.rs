//! `completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory;

use crate::{
    args::{Cli, CompletionsArgs},
    failure::Outcome,
    output::Completions,
    printer::Printer,
};

pub fn run(args: &CompletionsArgs, printer: &Printer) -> Outcome {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    printer.show(&Completions { shell: args.shell.to_string(), script })
}
