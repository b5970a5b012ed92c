//! `reference`: docs/cli.md and docs/cli.schema.json, made from the grammar and from the types that `--json` prints.

mod members;
#[cfg(test)]
mod messages;
mod outputs;
mod schema;

use std::collections::BTreeMap;

use clap::{Arg, Command, CommandFactory};

use self::outputs::Printed;
use crate::{
    args::{Cli, ReferenceArgs},
    failure::Outcome,
    printer::Printer,
};

const HEAD: &str = "\
# The command line

Every command, option, environment variable and JSON member. This page is made from the program by
`cargo xtask docs`; a test fails when it is not current.

Data goes to standard output, everything else to standard error. With `--json` standard output has one JSON document
(`deliver`: one line for each row, `watch`: one for each thing that happens), and a failure is one more line on standard error:
`{\"error\":{\"code\",\"message\",\"hint\",\"proof\"}}`. Codes, members and exit codes are stable: members are only ever added. Ids are
lowercase hex, sizes bytes, times RFC 3339 in UTC; what is unknown or unlimited is `null`. The same as JSON Schema:
[cli.schema.json](cli.schema.json). Every code with its message, hint and exit code: [messages.md](messages.md).

";

/// Environment variables that are no option's.
const FURTHER_VARIABLES: [(&str, &str); 5] = [
    ("SEALPOST_PASSWORD", "the password itself, for systems that hand secrets over this way"),
    ("DATABASE_URL", "`serve`: as `--database`, where hosting platforms set it"),
    (
        "SEALPOST_LOG",
        "`serve`: what is logged, such as `info` (the default), `warn`, `sealpost_server=debug`",
    ),
    ("NO_COLOR", "no colours, if set to anything"),
    ("XDG_CONFIG_HOME, XDG_DATA_HOME", "where config and state are without `--home`"),
];

pub fn run(args: &ReferenceArgs, printer: &Printer) -> Outcome {
    printer.out(&if args.schema { schema::render() } else { render() })
}

/// The whole page.
fn render() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = HEAD.to_owned();
    page += &text_block(&root);
    page += "## Options of every command\n\n";
    page += &arguments(root.get_arguments().filter(|argument| argument.is_global_set()));
    page += &variables(&root);
    page += "## The configuration file\n\n";
    page += "`config.json` in `--home`, else in `~/.config/sealpost`: a JSON object with `server`, `email`, ";
    page += "`password_file`, `ca` and `keyring`, all optional. Paths are relative to its folder. ";
    page += "An option counts more than the environment, and that more than the file.\n\n";
    root.get_subcommands().filter(|command| !command.is_hide_set()).for_each(|sub| page += &command(sub));
    page.trim_end().to_owned() + "\n"
}

fn command(command: &Command) -> String {
    let name = command.get_name();
    let mut section = format!("## `sealpost {name}`\n\n{}.\n\n", shown(command.get_about()));
    let usage = command.clone().render_usage().to_string();
    section += &format!("```text\n{}\n```\n\n", usage.trim_start_matches("Usage: ").trim());
    section += &arguments(command.get_arguments().filter(|argument| !argument.is_global_set()));
    section += &text_block(command);
    section + &printed(name)
}

fn printed(name: &str) -> String {
    match outputs::printed(name) {
        None => String::new(),
        Some(Printed::Document(schema)) => format!("JSON:\n\n{}", members::table(&schema)),
        Some(Printed::Either(schema, note, other)) => {
            format!("JSON:\n\n{}{note}:\n\n{}", members::table(&schema), members::table(&other))
        }
        Some(Printed::Rows(schema)) => format!("JSON, one document a line:\n\n{}", members::table(&schema)),
        Some(Printed::List(field, entry, rejected)) => format!(
            "JSON: `{{\"{field}\":[…],\"rejected\":[…]}}`. Each of `{field}`:\n\n{}Each of `rejected`, which holds what did \
             not verify and makes the exit code 7:\n\n{}",
            members::table(&entry),
            members::table(&rejected)
        ),
    }
}

fn arguments<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String = arguments
        .filter(|argument| {
            !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
        })
        .map(argument)
        .collect();
    if rows.is_empty() { rows } else { format!("| | |\n|---|---|\n{rows}\n") }
}

fn argument(argument: &Arg) -> String {
    let mut facts = shown(argument.get_help());
    if let Some(variable) = argument.get_env() {
        facts += &format!(" (`{}`)", variable.to_string_lossy());
    }
    let takes_value = takes_value(argument);
    let values = argument.get_possible_values();
    if takes_value && !values.is_empty() {
        let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        facts += &format!(": {}", names.join(", "));
    }
    let defaults = argument.get_default_values();
    if takes_value && !defaults.is_empty() && !argument.is_hide_default_value_set() {
        let defaults: Vec<_> = defaults.iter().map(|value| value.to_string_lossy()).collect();
        facts += &format!(" [default: `{}`]", defaults.join(" "));
    }
    format!("| `{}` | {} |\n", cell(&written(argument)), cell(&facts))
}

/// As it is written on the command line.
fn written(argument: &Arg) -> String {
    let value = || match argument.get_value_names() {
        Some(names) => names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" "),
        None => format!("<{}>", argument.get_id().as_str().to_uppercase()),
    };
    let several = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
    let mut flags: Vec<String> = argument.get_short().map(|short| format!("-{short}")).into_iter().collect();
    flags.extend(argument.get_long().map(|long| format!("--{long}")));
    let mut written = flags.join(", ");
    if takes_value(argument) {
        written += if written.is_empty() { "" } else { " " };
        written += &value();
        written += if several { "…" } else { "" };
    }
    written
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.takes_values())
}

fn variables(root: &Command) -> String {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let of_commands = root.get_subcommands().flat_map(|command| {
        command.get_arguments().map(move |argument| (Some(command.get_name()), argument))
    });
    for (command, argument) in root.get_arguments().map(|argument| (None, argument)).chain(of_commands) {
        let (Some(variable), Some(long)) = (argument.get_env(), argument.get_long()) else { continue };
        let of = command.filter(|_| !argument.is_global_set()).map(|name| format!("`{name}`: "));
        let place = named.entry(variable.to_string_lossy().into_owned()).or_default();
        let meaning = format!("{}as `--{long}`", of.unwrap_or_default());
        if !place.contains(&meaning) {
            *place += if place.is_empty() { "" } else { "; " };
            *place += &meaning;
        }
    }
    named.extend(FURTHER_VARIABLES.map(|(name, meaning)| (name.to_owned(), meaning.to_owned())));
    let rows: String = named.iter().map(|(name, meaning)| format!("| `{name}` | {meaning} |\n")).collect();
    format!("## Environment variables\n\n| | |\n|---|---|\n{rows}\n")
}

/// What stands below the options in `--help`, as it is.
fn text_block(command: &Command) -> String {
    match command.get_after_help() {
        Some(text) => format!("```text\n{}\n```\n\n", text.to_string().trim()),
        None => String::new(),
    }
}

fn shown(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// Text inside a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == render(), "docs/cli.md is not current: run `cargo xtask docs`");
    }

    #[test]
    fn every_command_says_what_it_prints_and_has_an_example() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert!(outputs::printed(name).is_some(), "`{name}` is missing in reference/outputs.rs");
            let help = shown(command.get_after_help());
            assert!(help.contains("Example"), "`{name} --help` has no example");
        }
    }

    #[test]
    fn arguments_are_written_as_people_write_them() {
        let page = render();
        for row in [
            "| `--to <EMAIL>…` | Share with these people at once |",
            "| `--role <ROLE>` | What they will be; a client if nothing is said, and with --replace what they were: `client`, `ops` |",
            "| `--expires <DURATION>` | How long the code works: 12h, 7d, 2w [default: `14d`] |",
            "| `--json` | Data as JSON on standard output, errors as JSON on standard error too |",
            "| `-o, --output <PATH\\|DIR\\|->` |",
            "| `SEALPOST_CA` | as `--ca` |",
            "| `--listen <ADDR>` | Address and port (`SEALPOST_LISTEN`) [default: `127.0.0.1:8787`] |",
            "| `shares[].expires_at` | text or null | When it ends by itself. |",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
    }
}
