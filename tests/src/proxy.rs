//! A network between client and server: it counts what passes, and swallows what it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// A proxy in front of one server.
pub struct LossyProxy {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    accepting: JoinHandle<()>,
}

/// What has passed, and what is to be lost.
#[derive(Default)]
struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
    answers: AtomicUsize,
    lose_every: AtomicUsize,
    /// 0: never.
    lose_after: AtomicUsize,
}

impl Traffic {
    /// Counts an answer; whether it is to be lost.
    fn loses_answer(&self) -> bool {
        let number = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let (every, after) =
            (self.lose_every.load(Ordering::Relaxed), self.lose_after.load(Ordering::Relaxed));
        every > 0 && number.is_multiple_of(every) || after > 0 && number > after
    }
}

impl LossyProxy {
    /// Forwards to `server`, losing nothing yet.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let traffic = Arc::new(Traffic::default());
        let passing = Arc::clone(&traffic);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let traffic = Arc::clone(&passing);
                tokio::spawn(async move {
                    // However a connection ends is the client's to notice.
                    let _ended = forward(client, server, &traffic).await;
                });
            }
        });
        Self { address, traffic, accepting }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every `n`th answer is lost: the server has done its work, the client never hears of it.
    pub fn lose_every(&self, n: usize) {
        self.traffic.lose_every.store(n, Ordering::Relaxed);
    }

    /// After `n` more answers every one is lost; `usize::MAX`: none is.
    pub fn lose_after(&self, n: usize) {
        self.traffic.lose_after.store(self.answers().saturating_add(n), Ordering::Relaxed);
    }

    /// Answers seen until now, lost ones included.
    pub fn answers(&self) -> usize {
        self.traffic.answers.load(Ordering::Relaxed)
    }

    /// Bytes that clients have sent until now, of heads and bodies.
    pub fn bytes_up(&self) -> u64 {
        self.traffic.up.load(Ordering::Relaxed)
    }

    /// Bytes that the server has sent until now, of heads and bodies.
    pub fn bytes_down(&self) -> u64 {
        self.traffic.down.load(Ordering::Relaxed)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(client: TcpStream, server: SocketAddr, traffic: &Arc<Traffic>) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    let requests = tokio::spawn(forward_requests(from_client, to_server, Arc::clone(traffic)));
    let mut piece = vec![0; PIECE];
    loop {
        let length = from_server.read(&mut piece).await?;
        if length == 0 {
            break;
        }
        if piece.starts_with(b"HTTP/1.1 ") && traffic.loses_answer() {
            break;
        }
        traffic.down.fetch_add(length as u64, Ordering::Relaxed);
        to_client.write_all(&piece[..length]).await?;
    }
    requests.abort();
    Ok(())
}

/// Passes on all that a client sent, also when it has gone meanwhile.
async fn forward_requests(
    mut from_client: OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    traffic: Arc<Traffic>,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from_client.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        traffic.up.fetch_add(length as u64, Ordering::Relaxed);
        to_server.write_all(&piece[..length]).await?;
    }
}
