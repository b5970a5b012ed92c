//! `man`: manual pages, made from the same grammar as `--help`.

use std::{io, path::Path};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::{
    args::{Cli, ManArgs},
    failure::{Failure, Outcome},
    output::{ManPage, ManPages},
    printer::Printer,
};

pub fn run(args: &ManArgs, printer: &Printer) -> Outcome {
    let mut command = Cli::command();
    // Gives every subcommand its full name and the global options.
    command.build();
    match &args.dir {
        None => {
            let page = render(&command).map_err(|error| unwritable(Path::new("the page"), &error))?;
            printer.show(&ManPage { page })
        }
        Some(dir) => printer.show(&ManPages { pages: write_all(&command, dir)? }),
    }
}

/// Writes the page of the program and of each command.
fn write_all(command: &Command, dir: &Path) -> Outcome<Vec<String>> {
    std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    std::iter::once(command).chain(command.get_subcommands()).map(|command| write(command, dir)).collect()
}

fn write(command: &Command, dir: &Path) -> Outcome<String> {
    let path = dir.join(Man::new(command.clone()).get_filename());
    let page = render(command).and_then(|page| std::fs::write(&path, page));
    page.map_err(|error| unwritable(&path, &error))?;
    Ok(path.display().to_string())
}

fn render(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    let source = concat!("sealpost ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(source).manual("Sealpost").render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::local("write", path, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_examples() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Cli::command();
        command.build();
        let pages = write_all(&command, &dir.path().join("man1")).unwrap();
        assert_eq!(pages.len(), command.get_subcommands().count() + 1);
        let upload = std::fs::read_to_string(dir.path().join("man1/sealpost-upload.1")).unwrap();
        assert!(upload.contains(".TH sealpost-upload 1"), "{upload}");
        assert!(upload.contains("contract.pdf") && upload.contains("GLOBAL OPTIONS"), "{upload}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_local_failure() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let failure = write_all(&Cli::command(), &file.join("man1")).unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::LocalFile);
    }
}
