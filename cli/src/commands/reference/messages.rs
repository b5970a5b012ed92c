//! docs/messages.md: every failure that a person or a script can meet, by its code, as the source says it. A test that
//! reads the source, so that each change of a sentence is seen where all of them stand together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use sealpost_client::ErrorKind;

use crate::exit::Exit;

/// Set to anything, this environment variable writes the page instead of comparing it.
const WRITE: &str = "SEALPOST_TEST_WRITE";

const HEAD: &str = "\
# Messages

Every failure of the command line, the SDK and the server: its code, the exit code with which a command ends, what is said, and
what to do next. `{…}` stands for what differs each time. Codes are stable, sentences are not: scripts match on codes.

This page is made from the source: `SEALPOST_TEST_WRITE=1 cargo xtask test -- messages` writes it anew.

";

/// A failure as the source makes it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Message {
    code: String,
    exit: String,
    text: String,
    hint: String,
}

const KINDS: [ErrorKind; 26] = [
    ErrorKind::InvalidInput,
    ErrorKind::NotSignedIn,
    ErrorKind::LoginFailed,
    ErrorKind::InviteMistyped,
    ErrorKind::InviteUnknown,
    ErrorKind::InviteEnded,
    ErrorKind::SetupToken,
    ErrorKind::TooManyAttempts,
    ErrorKind::NotFound,
    ErrorKind::RecipientUnknown,
    ErrorKind::RecipientPending,
    ErrorKind::Forbidden,
    ErrorKind::AccountPending,
    ErrorKind::AccountEnded,
    ErrorKind::AccountRotated,
    ErrorKind::Conflict,
    ErrorKind::Network,
    ErrorKind::Server,
    ErrorKind::Version,
    ErrorKind::StorageFull,
    ErrorKind::Verification,
    ErrorKind::LocalFile,
    ErrorKind::SourceChanged,
    ErrorKind::DestinationExists,
    ErrorKind::State,
    ErrorKind::Unsupported,
];
const EXITS: [Exit; 9] = [
    Exit::Ok,
    Exit::Usage,
    Exit::Authentication,
    Exit::NotFound,
    Exit::Forbidden,
    Exit::Network,
    Exit::Verification,
    Exit::LocalFile,
    Exit::Interrupted,
];

fn exit(kind: &str) -> String {
    let name = kind.rsplit("::").next().unwrap_or_default().trim();
    let of_kind = KINDS.iter().find(|kind| format!("{kind:?}") == name).map(|kind| Exit::from(*kind));
    let exit = if kind.contains("Exit::") {
        EXITS.iter().find(|exit| format!("{exit:?}") == name).copied()
    } else {
        of_kind
    };
    exit.map(|exit| (exit as u8).to_string()).unwrap_or_default()
}

/// How failures are made: the call, and what it says by itself (kind, code, hint).
const MAKERS: [(&str, &str, &str, &str); 13] = [
    ("Error::new(", "", "", ""),
    ("Failure::new(", "", "", ""),
    ("ApiError::new(", "", "", ""),
    ("Error::verification(", "ErrorKind::Verification", "", "(of all checks)"),
    ("Error::invalid(", "ErrorKind::InvalidInput", "invalid_input", ""),
    ("Error::state(", "ErrorKind::State", "state_folder", "(of all damaged folders)"),
    ("Error::internal(", "ErrorKind::Server", "internal", "(of all faults)"),
    ("Error::unexpected(", "ErrorKind::Server", "unexpected_answer", "(of all such answers)"),
    ("Failure::usage(", "Exit::Usage", "usage", ""),
    ("Failure::later(", "Exit::Usage", "unsupported", "(of all that comes later)"),
    ("Failure::local(", "Exit::LocalFile", "local_file", "(by what the system says)"),
    ("ApiError::malformed(", "ErrorKind::InvalidInput", "malformed_request", ""),
    ("ApiError::record_invalid(", "ErrorKind::Server", "record_invalid", ""),
];

/// Every message of one source file.
fn messages(source: &str) -> Vec<Message> {
    let source = source.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = BTreeMap::new();
    for (maker, kind, code, hint) in MAKERS {
        let is_word =
            |at: usize| source[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        for (at, _) in source.match_indices(maker).filter(|(at, _)| !is_word(*at)) {
            found.extend(message(source, at + maker.len(), kind, code, hint).map(|message| (at, message)));
        }
    }
    found.into_values().collect()
}

fn message(source: &str, at: usize, kind: &str, code: &str, default_hint: &str) -> Option<Message> {
    let (arguments, mut rest) = enclosed(&source[at..]);
    let mut arguments = split(arguments).into_iter();
    let before = &source[..at];
    let kind = if kind.is_empty() { arguments.next()? } else { kind };
    let is_api = kind.contains("ErrorCode::");
    let code = if is_api {
        api_code(kind)
    } else if code.is_empty() {
        said(arguments.next()?, before)
    } else {
        code.to_owned()
    };
    let text = arguments.map(|argument| said(argument, before)).collect::<Vec<_>>().join(" ");
    let mut hints = Vec::new();
    // What is called on it.
    loop {
        let after = rest.trim_start();
        let Some(call) = after.strip_prefix('.') else { break };
        let Some((name, inside)) = call.split_once('(') else { break };
        if !name.chars().all(|character| character.is_alphanumeric() || character == '_') {
            break;
        }
        let (argument, behind) = enclosed(inside);
        if ["hint", "with_hint", "or_hint"].contains(&name) {
            hints.push(said(argument, before));
        }
        rest = behind;
    }
    let hint = if hints.is_empty() { default_hint.to_owned() } else { hints.join(" ") };
    let exit = if is_api { String::new() } else { exit(kind) };
    Some(Message { code, exit, text, hint })
}

/// As a problem document has it.
fn api_code(kind: &str) -> String {
    let name = kind.rsplit("::").next().unwrap_or_default().trim();
    let known = sealpost_api::problem::ErrorCode::ALL.iter().find(|code| format!("{code:?}") == name);
    known.map(|code| code.as_str().to_owned()).unwrap_or_else(|| format!("{{{}}}", kind.trim()))
}

/// What an argument says: its text, or that of the variable that it is.
fn said(argument: &str, before: &str) -> String {
    let argument = argument.trim();
    let texts = texts(argument);
    if !texts.is_empty() {
        return texts.join(" / ");
    }
    let name = argument.trim_start_matches('&').split(['.', '(']).next().unwrap_or_default();
    let found = [format!("let {name} ="), format!("const {}: &str =", name.to_uppercase())]
        .iter()
        .find_map(|definition| before.rfind(definition.as_str()).map(|at| &before[at + definition.len()..]));
    let texts = found.map(|definition| self::texts(split_at_end(definition))).unwrap_or_default();
    if texts.is_empty() { format!("{{{name}}}") } else { texts.join(" / ") }
}

/// As far as a definition goes.
fn split_at_end(definition: &str) -> &str {
    let mut walker = Walker::default();
    let end = definition.char_indices().find(|(_, character)| walker.is_at(*character, ';'));
    &definition[..end.map_or(definition.len(), |(at, _)| at)]
}

/// Up to the parenthesis that closes, and what comes behind.
fn enclosed(text: &str) -> (&str, &str) {
    let mut walker = Walker::default();
    let end = text.char_indices().find(|(_, character)| walker.is_at(*character, ')'));
    let end = end.map_or(text.len(), |(at, _)| at);
    (&text[..end], text.get(end + 1..).unwrap_or_default())
}

/// At commas that are in nothing else.
fn split(arguments: &str) -> Vec<&str> {
    let (mut walker, mut parts, mut start) = (Walker::default(), Vec::new(), 0);
    for (at, character) in arguments.char_indices() {
        if walker.is_at(character, ',') {
            parts.push(&arguments[start..at]);
            start = at + 1;
        }
    }
    parts.push(&arguments[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// Knows whether a character stands in text or in brackets.
#[derive(Default)]
struct Walker {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Walker {
    fn is_at(&mut self, character: char, wanted: char) -> bool {
        if self.in_text {
            self.in_text = character != '"' || self.escaped;
            self.escaped = character == '\\' && !self.escaped;
            return false;
        }
        if self.depth == 0 && character == wanted {
            return true;
        }
        match character {
            '"' => self.in_text = true,
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }
}

/// The texts in a piece of source, without those that only name something.
fn texts(source: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some((_, after)) = rest.split_once('"') {
        let mut escaped = false;
        let end = after.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let end = end.unwrap_or(after.len());
        found.push(unescaped(&after[..end]));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    found
}

/// Without escapes and continued lines.
fn unescaped(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let joined = lines.fold(first, |joined, line| joined + line.trim_start());
    joined.replace("\\\"", "\"").replace("\\n", " ")
}

/// What the SDK makes of failures that are no lie of the server's: by the beginning of their code, the exit code and the hint
/// (`client-sdk/src/convert.rs`).
const OWN: [(&str, &str, &str); 13] = [
    ("account_ended", "5", "Ask an Ops member of the organisation, if that is a mistake."),
    ("account_not_ops", "5", "Ask an Ops member of your organisation."),
    (
        "account_pending",
        "5",
        "Whoever invited you has to use Sealpost once more; then run the same command again.",
    ),
    (
        "account_rotated",
        "3",
        "Sign in on this device again: `sealpost login`, with the password and the account key on the newest recovery kit, if \
         there is one on it. If you did not change the keys, somebody else has your old ones: ask an Ops member to end the \
         account.",
    ),
    ("code_", "3", "Check the code against the one you were given; case and hyphens do not matter."),
    ("email_", "2", "Give an address like name@example.org."),
    ("evidence_undisclosed", "2", "Ask for evidence made with --disclose, or leave the file out."),
    ("inviter_gone", "3", "Ask your sender for a new invite."),
    ("metadata_too_long", "2", "Shorten the note, or rename the file."),
    ("name_too_long", "2", "Give a shorter name."),
    ("offer_expired", "3", "Ask your sender for a new invite."),
    ("password_", "2", "Several unrelated words are easy to remember and hard to guess."),
    ("size_too_large", "2", "One file holds at most 512 GiB."),
];

/// `NAME = "code", "sentence";`, as `failures!` and its kin list them.
fn listed(source: &str) -> Vec<Message> {
    let tables = ["failures! {", "opaque_failure! {"];
    let bodies = tables.iter().flat_map(|table| source.split(table).skip(1));
    let mut found = Vec::new();
    for body in bodies {
        for line in body.split("\n}").next().unwrap_or_default().split(';') {
            let code = line.split_once(" = ").map(|(_, said)| texts(said)).unwrap_or_default();
            if let [code, text] = &code[..] {
                let own = OWN.iter().find(|(own, ..)| code.starts_with(own));
                let (exit, hint) = own.map_or(("7", "(of all checks)"), |(_, exit, hint)| (*exit, *hint));
                let (exit, hint) = (exit.to_owned(), hint.to_owned());
                found.push(Message { code: code.clone(), exit, text: text.clone(), hint });
            }
        }
    }
    found
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_left_out = ["demo", "reference", "tests", "testing", "vectors"].contains(&name.as_str());
        if path.is_dir() && !is_left_out {
            sources(&path, files);
        } else if name.ends_with(".rs") && !["tests.rs", "testing.rs"].contains(&name.as_str()) {
            files.push(path);
        }
    }
}

fn all() -> BTreeMap<&'static str, BTreeSet<Message>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let parts = [
        ("The command line", "cli"),
        ("The SDK", "client-sdk"),
        ("Checks of signatures, keys and records", "crypto-core"),
        ("The server", "server"),
    ];
    let mut all = BTreeMap::new();
    for (title, name) in parts {
        let mut files = Vec::new();
        sources(&root.join(name).join("src"), &mut files);
        let found = files.iter().flat_map(|file| {
            let source = fs::read_to_string(file).unwrap();
            if name == "crypto-core" { listed(&source) } else { messages(&source) }
        });
        all.insert(title, found.filter(|message| !message.text.is_empty()).collect());
    }
    all
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, messages) in all() {
        writeln!(page, "## {title}\n\n| code | exit | what is said | what to do |\n|---|---|---|---|")
            .unwrap();
        for Message { code, exit, text, hint } in messages {
            let [text, hint] = [text, hint].map(|text| text.replace('|', "\\|"));
            writeln!(page, "| `{code}` | {exit} | {text} | {hint} |").unwrap();
        }
        page.push('\n');
    }
    page.trim_end().to_owned() + "\n"
}

#[test]
fn messages_are_as_the_page_lists_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/messages.md");
    let page = page();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    for (now, before) in page.lines().zip(committed.lines()) {
        assert_eq!(
            now, before,
            "a message has changed: read it as a user would, then {WRITE}=1 writes the page anew"
        );
    }
    assert_eq!(page.lines().count(), committed.lines().count());
}

/// One sentence that says what happened; another that says what to do; no blame, no jargon that helps nobody.
#[test]
fn messages_follow_the_rules() {
    let mut offences = Vec::new();
    for (title, messages) in all() {
        assert!(
            messages.len() > 50,
            "{title} has only {} messages: this reads the wrong thing",
            messages.len()
        );
        let is_server = title == "The server";
        for message in messages {
            let Message { code, text, hint, .. } = &message;
            let starts_small = text.starts_with(|first: char| first.is_lowercase() || "{`-".contains(first));
            // The server's details are sentences of their own; the SDK's and the program's stand behind `error: `.
            if !is_server && (text.ends_with('.') || !starts_small) {
                offences.push(format!("no sentence in small letters without a full stop: {code}: {text}"));
            }
            if is_server && !(text.ends_with('.') || text.ends_with('}')) {
                offences.push(format!("no sentence: {code}: {text}"));
            }
            // Why a server does not start is said together with what to do.
            if !is_server && hint.is_empty() && code != "server_start" {
                offences.push(format!("does not say what to do: {code}: {text}"));
            }
            if !hint.is_empty() && !hint.ends_with(['.', ')', '}', '`']) && !hint.ends_with("--org ID") {
                offences.push(format!("a hint that is no sentence: {code}: {hint}"));
            }
            for word in ["please", "sorry", "illegal", "you must", "your fault", "oops", "!", "invitation"] {
                if text.to_lowercase().contains(word) || hint.to_lowercase().contains(word) {
                    offences.push(format!("{word:?}: {code}: {text} {hint}"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn what_is_no_lie_of_the_servers_is_told_as_such() {
    use sealpost_client::Error;
    use sealpost_crypto::{
        email::EmailError, metadata::MetadataError, opening::OpeningError, size::SizeError,
    };
    let errors: [Error; 4] = [
        EmailError::Form.into(),
        MetadataError::TooLong.into(),
        OpeningError::NameTooLong.into(),
        SizeError::TooLarge.into(),
    ];
    for error in errors {
        let own = OWN.iter().find(|(own, ..)| error.code().starts_with(own));
        let (_, exit, hint) = own.expect("its code in the list");
        let actual = (Exit::from(error.kind()) as u8).to_string();
        assert_eq!((actual.as_str(), error.hint()), (*exit, Some(*hint)), "{}", error.code());
    }
}

#[test]
fn the_reader_of_sources_reads_them() {
    let source = r#"
        let message = format!("{} is {what}", path);
        Error::new(ErrorKind::LocalFile, "not_a_file", message).with_hint("Name a file.")
        return Err(Failure::usage("can't hold both, (a; b)").hint("Use \
            --password-file."));
        ApiError::new(ErrorCode::IdTaken, "The id is in use.")
    "#;
    let found = messages(source);
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.code.as_str(), one.exit.as_str(), one.text.as_str(), one.hint.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("not_a_file", "8", "{} is {what}", "Name a file."),
            ("usage", "2", "can't hold both, (a; b)", "Use --password-file."),
            ("id_taken", "", "The id is in use.", ""),
        ]
    );
    assert_eq!(listed("failures! {\n A {\n B = \"b\", \"does not hold\";\n }\n}")[0].text, "does not hold");
}
