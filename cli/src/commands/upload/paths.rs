//! Which files the paths on the command line stand for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::failure::{Failure, Outcome};

/// Most files that one command takes from folders.
const MAX_FILES: usize = 10_000;

/// One thing to upload.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// `-`
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Replaces folders by the regular files below them, sorted; symbolic links inside folders are not followed. What
/// is missing is found before anything is sent.
pub fn expand(paths: &[PathBuf]) -> Outcome<Vec<Source>> {
    let mut sources = Vec::with_capacity(paths.len());
    for path in paths {
        if path.as_os_str() == "-" {
            sources.push(Source::Stdin);
            continue;
        }
        let metadata = fs::metadata(path).map_err(|error| Failure::local("read", path, &error))?;
        if metadata.is_dir() {
            let before = sources.len();
            collect(path, &mut sources)?;
            if sources.len() == before {
                return Err(Failure::usage(format!("{} has no files in it", path.display()))
                    .hint("Name a folder with files in it, or files."));
            }
        } else {
            sources.push(Source::File(path.clone()));
        }
    }
    Ok(sources)
}

fn collect(folder: &Path, sources: &mut Vec<Source>) -> Outcome {
    let unreadable = |error: std::io::Error| Failure::local("read", folder, &error);
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            collect(&entry.path(), sources)?;
        } else if kind.is_file() {
            sources.push(Source::File(entry.path()));
        }
        if sources.len() > MAX_FILES {
            return Err(Failure::usage(format!("more than {MAX_FILES} files at once"))
                .hint("Upload the folder's parts one after the other, or pack it into an archive."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_folder_stands_for_the_files_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        for name in ["b", "a", "sub/c"] {
            fs::write(path(name), name).unwrap();
        }
        let sources = expand(&[dir.path().to_owned(), "-".into()]).unwrap();
        let expected = [path("a"), path("b"), path("sub/c")].map(Source::File);
        assert_eq!(sources[..3], expected);
        assert_eq!(sources[3], Source::Stdin);
    }

    #[test]
    fn what_is_missing_is_found_before_anything_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(expand(&[dir.path().join("none")]).unwrap_err().exit, Exit::LocalFile);
        assert_eq!(expand(&[dir.path().to_owned()]).unwrap_err().exit, Exit::Usage);
    }

    #[cfg(unix)]
    #[test]
    fn links_inside_a_folder_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "a").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        assert_eq!(expand(&[dir.path().to_owned()]).unwrap().len(), 1);
    }
}
