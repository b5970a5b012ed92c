//! A network that loses answers: between client and server, it swallows what it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A proxy in front of one server.
pub struct LossyProxy {
    address: SocketAddr,
    answers: Arc<AtomicUsize>,
    lose_every: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl LossyProxy {
    /// Forwards to `server`, losing nothing yet.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (answers, lose_every) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, every) = (Arc::clone(&answers), Arc::clone(&lose_every));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (seen, every) = (Arc::clone(&seen), Arc::clone(&every));
                tokio::spawn(async move {
                    // However a connection ends is the client's to notice.
                    let _ended = forward(client, server, &seen, &every).await;
                });
            }
        });
        Self { address, answers, lose_every, accepting }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every `n`th answer is lost: the server has done its work, the client never hears of it.
    pub fn lose_every(&self, n: usize) {
        self.lose_every.store(n, Ordering::Relaxed);
    }

    /// Answers seen until now, lost ones included.
    pub fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(
    client: TcpStream,
    server: SocketAddr,
    answers: &AtomicUsize,
    lose_every: &AtomicUsize,
) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from_server.read(&mut piece).await?;
        if length == 0 {
            break;
        }
        if piece.starts_with(b"HTTP/1.1 ") {
            let number = answers.fetch_add(1, Ordering::Relaxed) + 1;
            let every = lose_every.load(Ordering::Relaxed);
            if every > 0 && number.is_multiple_of(every) {
                break;
            }
        }
        to_client.write_all(&piece[..length]).await?;
    }
    requests.abort();
    Ok(())
}
