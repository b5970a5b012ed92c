//! Reads along between honest clients and a server. Every byte is passed on as it comes; every request that a client
//! sends and every answer that it gets is held to the OpenAPI document. What breaks it fails the test when the server
//! that was watched goes.
//!
//! It stands in front of [`crate::TestServer`] for whatever connects to its URL (the SDK, the Python client), and in front
//! of the server processes of the command line's tests.

mod conversation;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use self::conversation::{Conversation, Said};

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Stands before one server, also while that is stopped and started again.
pub struct Watch {
    address: SocketAddr,
    /// Ends the passing on when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    passing: Option<JoinHandle<()>>,
    /// Gives everything that the document does not list.
    checking: Option<JoinHandle<Vec<String>>>,
}

impl Watch {
    /// Takes its place before the server at `server`.
    pub fn before(server: SocketAddr) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), server)
    }

    /// The same, on a port that an earlier watch had.
    pub fn at(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (told, said) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        // Threads of their own: the test may have no runtime, or block it.
        let passing = thread::spawn(move || pass_until(&runtime, listener, server, told, stopped));
        let checking =
            thread::spawn(move || said.iter().filter_map(|said: Said| said.check().err()).collect());
        Self { address, stop: Some(stop), passing: Some(passing), checking: Some(checking) }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends, and says what the document does not list.
    pub fn broken(mut self) -> Vec<String> {
        self.end()
    }

    fn end(&mut self) -> Vec<String> {
        self.stop.take();
        // Checking ends when nothing can be told any more.
        let passed = self.passing.take().map(JoinHandle::join);
        let checked = self.checking.take().map(JoinHandle::join);
        match (passed, checked) {
            (None | Some(Ok(())), None) => Vec::new(),
            (Some(Ok(())), Some(Ok(broken))) => broken,
            _ => vec!["the watch failed".to_owned()],
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let broken = self.end();
        assert!(broken.is_empty() || thread::panicking(), "not as documented:\n{}", broken.join("\n"));
    }
}

fn pass_until(
    runtime: &Runtime,
    listener: std::net::TcpListener,
    server: SocketAddr,
    told: mpsc::Sender<Said>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a listener that does not block");
        let listener = TcpListener::from_std(listener).expect("a listener");
        let accepting = async {
            while let Ok((client, _)) = listener.accept().await {
                let conversation = Arc::new(Mutex::new(Conversation::new(told.clone())));
                tokio::spawn(async move {
                    // However a connection ends is the client's to notice.
                    let _ended = pass(client, server, &conversation).await;
                });
            }
        };
        tokio::select! {
            () = accepting => {}
            _ = stopped => {}
        }
    });
}

async fn pass(
    client: TcpStream,
    server: SocketAddr,
    conversation: &Arc<Mutex<Conversation>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    let requests = tokio::spawn(pass_requests(from_client, to_server, Arc::clone(conversation)));
    let mut piece = vec![0; PIECE];
    loop {
        let length = from_server.read(&mut piece).await?;
        if length == 0 {
            break;
        }
        held(conversation).server_said(&piece[..length]);
        to_client.write_all(&piece[..length]).await?;
    }
    requests.abort();
    Ok(())
}

/// Passes on all that a client sent, also when it has gone meanwhile.
async fn pass_requests(
    mut from_client: OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    conversation: Arc<Mutex<Conversation>>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from_client.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        // Before the server can answer it.
        held(&conversation).client_said(&piece[..length]);
        to_server.write_all(&piece[..length]).await?;
    }
}

fn held(conversation: &Mutex<Conversation>) -> std::sync::MutexGuard<'_, Conversation> {
    conversation.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use sealpost_api::routes;

    use super::*;

    /// A server that gives `answer` to the first request of one connection.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0; 4_096];
            let _read = client.read(&mut request).unwrap();
            client.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    fn broken_by(request: &str, answer: &'static str) -> Vec<String> {
        let watch = Watch::before(answering(answer));
        let mut client = std::net::TcpStream::connect(watch.address()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        client.read_to_string(&mut all).unwrap();
        assert_eq!(all, answer, "passed on as it came");
        watch.broken()
    }

    fn request(method: &str, path: &str, body: &str) -> String {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{kind}content-length: {}\r\n\r\n{body}", body.len())
    }

    const READY: &str = "HTTP/1.1 200 OK\r\nSealpost-Request: abc\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nready";
    const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nsealpost-request: abc\r\n\r\n";

    #[test]
    fn what_is_documented_is_passed_on_and_what_is_not_is_told() {
        let readyz = routes::READYZ.path;
        assert_eq!(broken_by(&request("GET", readyz, ""), READY), [""; 0]);
        for (request, answer, what) in [
            (request("GET", readyz, ""), NO_CONTENT, "does not list this status"),
            (request("GET", "/files?colour=red", ""), READY, "no parameter \"colour\""),
            (request("GET", "/nowhere", ""), READY, "no such route"),
            (request("GET", readyz, "{}"), READY, "takes no body"),
            (request("POST", "/auth/refresh", "{\"token\":1}"), READY, "required"),
            (request("POST", "/auth/refresh", "[["), READY, "EOF"),
            (request("GET", readyz, ""), "HTTP/1.1 200 OK\r\n\r\n", "no length"),
        ] {
            let broken = broken_by(&request, answer).join("\n");
            assert!(broken.contains(what), "{request} {answer}: {broken}");
        }
    }
}
