//! Where one identity lives on this device, and its configuration file. Flag > environment > file.

use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use serde::Deserialize;

use crate::args::KeyringArg;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Largest configuration file, bytes.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;
/// The folder's name below the XDG folders.
const NAME: &str = "sealpost";

/// The folders and files of one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Settings that flags and environment override.
    pub config: PathBuf,
    /// Keys, pins, session and partial transfers.
    pub state: PathBuf,
    /// Where `serve` keeps its data unless told otherwise.
    pub server_data: PathBuf,
}

impl Home {
    /// Below `dir` (`--home`), else in the XDG folders (XDG Base Directory Specification 0.8).
    pub fn new(dir: Option<&Path>) -> Outcome<Self> {
        if let Some(dir) = dir {
            if dir.exists() && !dir.is_dir() {
                let message = format!("{} is not a folder", dir.display());
                return Err(Failure::new(Exit::LocalFile, "home_unusable", message)
                    .hint("--home names a folder; it is made if need be."));
            }
            return Ok(Self {
                config: dir.join("config.json"),
                state: dir.join("state"),
                server_data: dir.join("server"),
            });
        }
        let folders = choose_base_strategy().map_err(|_| {
            Failure::new(Exit::LocalFile, "no_home", "this user has no home folder")
                .hint("Name one with --home.")
        })?;
        Ok(Self {
            config: folders.config_dir().join(NAME).join("config.json"),
            state: folders.data_dir().join(NAME).join("state"),
            server_data: folders.data_dir().join(NAME).join("server"),
        })
    }
}

/// What `config.json` may say. Every setting mirrors a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `--server`
    pub server: Option<String>,
    /// `--email`
    pub email: Option<String>,
    /// `--password-file`; relative to the file's folder.
    pub password_file: Option<PathBuf>,
    /// `--ca`; relative to the file's folder.
    pub ca: Option<PathBuf>,
    /// `--keyring`
    pub keyring: Option<KeyringArg>,
}

impl Config {
    /// Reads the file; without one, nothing is set.
    pub fn load(path: &Path) -> Outcome<Self> {
        let text = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::local("read", path, &error)),
            Ok(data) if data.len() > MAX_CONFIG_BYTES => {
                return Err(malformed(path, "it is larger than 64 KiB"));
            }
            Ok(_) => std::fs::read_to_string(path).map_err(|error| Failure::local("read", path, &error))?,
        };
        let mut config: Self =
            serde_json::from_str(&text).map_err(|error| malformed(path, &error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in [&mut config.password_file, &mut config.ca].into_iter().flatten() {
            *file = folder.join(&*file);
        }
        Ok(config)
    }
}

fn malformed(path: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::LocalFile,
        "config",
        format!("{} is not a usable configuration: {why}", path.display()),
    )
    .hint("It is a JSON object with \"server\", \"email\", \"password_file\", \"ca\" and \"keyring\", all optional.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Outcome<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn home_keeps_everything_of_one_identity_together() {
        let home = Home::new(Some(Path::new("/h"))).unwrap();
        assert_eq!(home.config, Path::new("/h/config.json"));
        assert_eq!(home.state, Path::new("/h/state"));
    }

    #[test]
    fn a_missing_file_sets_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Config::load(&dir.path().join("none.json")).unwrap(), Config::default());
    }

    #[test]
    fn settings_are_read_and_paths_are_relative_to_the_file() {
        let config = load(
            r#"{"server": "https://s.example", "password_file": "pw", "ca": "/ca.pem", "keyring": "off"}"#,
        )
        .unwrap();
        assert_eq!(config.server.as_deref(), Some("https://s.example"));
        assert_eq!(config.keyring, Some(KeyringArg::Off));
        assert!(config.password_file.unwrap().is_absolute());
        assert_eq!(config.ca.unwrap(), Path::new("/ca.pem"));
    }

    #[test]
    fn a_typing_error_is_named_with_its_place() {
        for wrong in [r#"{"sever": "x"}"#, "{", r#"{"server": 1}"#, r#"{"keyring": "yes"}"#] {
            let failure = load(wrong).unwrap_err();
            assert_eq!(failure.exit, Exit::LocalFile);
            assert!(failure.message.contains("line 1"), "{}", failure.message);
        }
    }
}
