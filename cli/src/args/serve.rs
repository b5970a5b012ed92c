//! Arguments of `sealpost serve`.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Args;

const SERVE_EXAMPLE: &str = "\
Examples:
  sealpost serve --data /var/lib/sealpost
  sealpost serve --data /var/lib/sealpost --database postgres://sealpost@db/sealpost
  sealpost serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem

The first start prints a one-time setup token and writes it to DIR/setup-token: `sealpost init` needs it.
Without --tls-cert, put a proxy that speaks TLS in front: clients refuse plain http but to this machine.";

/// `sealpost serve`
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLE)]
pub struct ServeArgs {
    /// Address and port
    #[arg(long, value_name = "ADDR", env = "SEALPOST_LISTEN", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// Folder for database, blobs and setup token [default: ~/.local/share/sealpost/server]
    #[arg(long, value_name = "DIR", env = "SEALPOST_DATA")]
    pub data: Option<PathBuf>,
    /// sqlite:PATH or postgres://… (also DATABASE_URL) [default: SQLite in the data folder]
    #[arg(long, value_name = "URL", env = "SEALPOST_DATABASE", hide_env_values = true)]
    pub database: Option<DatabaseArg>,
    /// database or file:///DIR [default: a folder beside SQLite, the database with Postgres]
    #[arg(long, value_name = "WHERE", env = "SEALPOST_BLOBS")]
    pub blobs: Option<BlobsArg>,
    /// Make a key to sign checkpoints with, and show its words: an Ops member signs it with `sealpost service`
    #[arg(long)]
    pub new_checkpoint_key: bool,
    /// After a restore from backup: there is no newer backup, the log goes on from this one
    #[arg(long)]
    pub confirm_restore: bool,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "SEALPOST_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", env = "SEALPOST_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Where the server's rows live.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseArg {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL; may hold a password, so it is never shown.
    Postgres(String),
}

impl std::fmt::Debug for DatabaseArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(secret)"),
        }
    }
}

impl FromStr for DatabaseArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err("write sqlite:PATH or postgres://user@host/database"),
        }
    }
}

/// Where sealed parts live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobsArg {
    /// In the database.
    Database,
    /// In a folder.
    Folder(PathBuf),
    /// In S3: part of the contract, refused for now.
    S3,
}

impl FromStr for BlobsArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("file://") {
            Some(path) if path.starts_with('/') => return Ok(Self::Folder(path.into())),
            _ if text == "database" => return Ok(Self::Database),
            _ if text.starts_with("s3://") => return Ok(Self::S3),
            _ => {}
        }
        Err("write database or file:///FOLDER")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_and_stores_are_recognised() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(DatabaseArg::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(DatabaseArg::Sqlite("/a/b.db".into())));
        assert_eq!("file:///a/blobs".parse(), Ok(BlobsArg::Folder("/a/blobs".into())));
        assert_eq!("s3://bucket/prefix".parse(), Ok(BlobsArg::S3));
        for wrong in ["sqlite:", "mysql://h", "", "a.db"] {
            assert!(wrong.parse::<DatabaseArg>().is_err(), "{wrong}");
        }
        for wrong in ["file://relative", "", "folder"] {
            assert!(wrong.parse::<BlobsArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_password_in_a_database_url_is_never_shown() {
        let database: DatabaseArg = "postgres://u:hunter22@h/d".parse().unwrap();
        assert!(!format!("{database:?}").contains("hunter22"));
    }
}
