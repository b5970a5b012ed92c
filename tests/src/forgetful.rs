//! A Postgres that does as it is told and, once, does not say so: the connection breaks between a commit and its answer.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// Name of Postgres's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Stands between a server and its Postgres.
pub struct Forgetful {
    url: String,
    forgot: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
    _folder: TempDir,
}

impl Forgetful {
    /// Before the database at `url`: of the first transaction in which `statement` is prepared, the commit's answer is
    /// lost.
    pub fn before(url: &str, statement: &'static str) -> Self {
        let (start, socket) = url.rsplit_once("?host=").expect("a URL with a socket's folder");
        let real = PathBuf::from(socket).join(SOCKET);
        let folder = tempfile::tempdir().expect("no temporary folder");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let forgot = Arc::new(AtomicBool::new(false));
        let once = Arc::clone(&forgot);
        let accepting = tokio::spawn(async move {
            while let Ok((server, _)) = listener.accept().await {
                let (real, once) = (real.clone(), Arc::clone(&once));
                tokio::spawn(async move {
                    // However a connection ends is the server's to notice.
                    let _ended = pass(server, &real, statement, &once).await;
                });
            }
        });
        let url = format!("{start}?host={}", folder.path().display());
        Self { url, forgot, accepting, _folder: folder }
    }

    /// How a server connects.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it has happened.
    pub fn has_forgotten(&self) -> bool {
        self.forgot.load(Ordering::SeqCst)
    }
}

impl Drop for Forgetful {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(
    mut server: UnixStream,
    real: &Path,
    statement: &str,
    forgot: &AtomicBool,
) -> std::io::Result<()> {
    let mut postgres = UnixStream::connect(real).await?;
    let (mut asked, mut answered) = (vec![0; PIECE], vec![0; PIECE]);
    let mut is_wanted = false;
    loop {
        tokio::select! {
            length = server.read(&mut asked) => {
                let said = &asked[..length?];
                if said.is_empty() {
                    return Ok(());
                }
                is_wanted |= contains(said, statement);
                let is_commit = is_wanted && contains(said, "COMMIT");
                postgres.write_all(said).await?;
                if is_commit && !forgot.swap(true, Ordering::SeqCst) {
                    // Until it has happened.
                    let _answer = postgres.read(&mut answered).await?;
                    return Ok(());
                }
            }
            length = postgres.read(&mut answered) => {
                let said = &answered[..length?];
                if said.is_empty() {
                    return Ok(());
                }
                server.write_all(said).await?;
            }
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
