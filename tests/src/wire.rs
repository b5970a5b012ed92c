//! A connection that says exactly what it is told to: heads without bodies, bodies without end.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    http::{Api, Credential},
    server::TestServer,
};

/// The connection.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Connects.
    pub async fn open(server: &TestServer) -> Self {
        Self { stream: TcpStream::connect(server.address()).await.expect("a connection") }
    }

    /// Says something.
    pub async fn write(&mut self, text: &str) {
        self.try_write(text).await.expect("writing");
    }

    /// Says something, unless the server has hung up.
    pub async fn try_write(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    /// Says bytes.
    pub async fn write_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("writing");
    }

    /// The status of the first answer.
    pub async fn status(&mut self) -> u16 {
        let mut answer = Vec::new();
        let mut piece = [0; 1_024];
        while answer.len() < "HTTP/1.1 200".len() {
            let read = self.stream.read(&mut piece).await.expect("reading");
            assert!(read > 0, "the server hung up without an answer");
            answer.extend_from_slice(&piece[..read]);
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{text}"))
    }

    /// The status when a body of `length` bytes is announced and none is sent. For bodies over a limit: whoever
    /// does send one may see the connection break before the answer.
    pub async fn announce(server: &TestServer, api: &Api, head: &str, length: usize) -> u16 {
        let mut wire = Self::open(server).await;
        let authorization = match api.credential() {
            Credential::Bearer(token) => format!("authorization: Bearer {token}\r\n"),
            Credential::Nobody | Credential::Invite(_) => String::new(),
        };
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().map(|header| format!("{header}\r\n")).collect();
        wire.write(&format!(
            "{line} HTTP/1.1\r\nhost: x\r\n{authorization}{headers}content-length: {length}\r\n\r\n"
        ))
        .await;
        wire.status().await
    }
}
