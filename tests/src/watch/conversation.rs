//! The messages of one HTTP/1.1 connection, as their bytes pass by (RFC 9112).

use std::{collections::VecDeque, sync::mpsc};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::contract::{Asked, Exchange};

/// The longest head.
const MAX_HEAD: usize = 64 * 1024;

/// A request and its answer, both whole; or why they could not be read.
pub(super) enum Said {
    Exchange(Box<(Request, Answer)>),
    Unreadable(String),
}

#[derive(Default)]
pub(super) struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
    /// `None` until it is whole, or if it is no JSON.
    body: Option<Vec<u8>>,
}

pub(super) struct Answer {
    status: u16,
    headers: HeaderMap,
    /// `None` if it is no JSON.
    body: Option<Vec<u8>>,
}

impl Said {
    /// Holds both to the document.
    pub(super) fn check(&self) -> Result<(), String> {
        let (request, answer) = match self {
            Self::Exchange(both) => (&both.0, &both.1),
            Self::Unreadable(why) => return Err(why.clone()),
        };
        let asked = Asked {
            method: &request.method,
            target: &request.target,
            headers: &request.headers,
            body: request.body.as_deref(),
        };
        asked.check()?;
        let exchange = Exchange {
            method: &request.method,
            path: asked.path(),
            sent: request.body.as_deref(),
            status: answer.status,
            headers: &answer.headers,
            body: answer.body.as_deref(),
        };
        exchange.check()
    }
}

/// What was said on one connection.
pub(super) struct Conversation {
    client: Messages,
    server: Messages,
    /// Requests whose answers have not ended.
    open: VecDeque<Request>,
    answer: Option<Answer>,
    told: mpsc::Sender<Said>,
    /// It is no HTTP, such as TLS where none is spoken: passed on, and not read.
    lost: bool,
}

impl Conversation {
    pub(super) fn new(told: mpsc::Sender<Said>) -> Self {
        let (client, server) = (Messages::default(), Messages::default());
        Self { client, server, open: VecDeque::new(), answer: None, told, lost: false }
    }

    pub(super) fn client_said(&mut self, bytes: &[u8]) {
        if self.lost {
            return;
        }
        self.client.push(bytes);
        while let Some(piece) = self.client.next() {
            let read = match piece {
                Piece::Head(head) => self.request(&head),
                Piece::Body(body) => {
                    // An answer that ended early has taken its request along.
                    if let Some(request) = self.open.back_mut() {
                        let has_body = !body.is_empty() && is_json(&request.headers);
                        request.body = has_body.then_some(body);
                    }
                    Ok(())
                }
            };
            if read.is_err() {
                self.lost = true;
                return;
            }
        }
    }

    fn request(&mut self, head: &[u8]) -> Result<(), String> {
        let (line, headers) = parsed(head)?;
        let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no request: {line}"));
        };
        self.client.expect(length(&headers)?.unwrap_or(0), is_json(&headers));
        let (method, target) = (method.to_owned(), target.to_owned());
        self.open.push_back(Request { method, target, headers, body: None });
        Ok(())
    }

    pub(super) fn server_said(&mut self, bytes: &[u8]) {
        if self.lost {
            return;
        }
        self.server.push(bytes);
        while let (false, Some(piece)) = (self.lost, self.server.next()) {
            let read = match piece {
                Piece::Head(head) => self.head_of_answer(&head),
                Piece::Body(body) => self.end_of_answer(body),
            };
            if let Err(why) = read {
                self.tell(Said::Unreadable(why));
                self.lost = true;
                return;
            }
        }
    }

    fn head_of_answer(&mut self, head: &[u8]) -> Result<(), String> {
        let (line, headers) = parsed(head)?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("no answer: {line}"))?;
        if status < 200 {
            // Another head follows.
            return Ok(());
        }
        let Some(request) = self.open.front() else {
            self.lost = self.client.has_begun();
            return if self.lost { Ok(()) } else { Err(format!("an answer to nothing: {line}")) };
        };
        let length = match length(&headers)? {
            _ if request.method == "HEAD" || status == 204 => 0,
            Some(length) => length,
            None => return Err(format!("{} {}: no length: {line}", request.method, request.target)),
        };
        self.server.expect(length, is_json(&headers));
        self.answer = Some(Answer { status, headers, body: None });
        Ok(())
    }

    fn end_of_answer(&mut self, body: Vec<u8>) -> Result<(), String> {
        let (Some(request), Some(mut answer)) = (self.open.pop_front(), self.answer.take()) else {
            return Err("a body without a head".to_owned());
        };
        answer.body = is_json(&answer.headers).then_some(body);
        self.tell(Said::Exchange(Box::new((request, answer))));
        Ok(())
    }

    fn tell(&self, said: Said) {
        // Nobody listens any more when the watch has ended.
        let _told = self.told.send(said);
    }
}

/// A head, or a whole body.
enum Piece {
    Head(Vec<u8>),
    Body(Vec<u8>),
}

/// A body on its way.
struct Body {
    left: usize,
    /// `None` for one that is not looked at, of a part for example.
    kept: Option<Vec<u8>>,
}

/// One direction's bytes, cut into heads and bodies.
#[derive(Default)]
struct Messages {
    bytes: Vec<u8>,
    /// Of the message whose head was read.
    body: Option<Body>,
}

impl Messages {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// After a head: its body has this length.
    fn expect(&mut self, length: usize, is_kept: bool) {
        self.body = Some(Body { left: length, kept: is_kept.then(Vec::new) });
    }

    /// Whether something came that is not a whole head.
    fn has_begun(&self) -> bool {
        !self.bytes.is_empty()
    }

    fn next(&mut self) -> Option<Piece> {
        let Some(body) = &mut self.body else {
            let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
            // Whatever is longer is no head: let it be looked at.
            let end = end.or_else(|| (self.bytes.len() > MAX_HEAD).then_some(self.bytes.len()))?;
            let rest = self.bytes.split_off(end);
            return Some(Piece::Head(std::mem::replace(&mut self.bytes, rest)));
        };
        let come = body.left.min(self.bytes.len());
        let come = self.bytes.drain(..come);
        body.left -= come.len();
        match &mut body.kept {
            Some(kept) => kept.extend(come),
            None => drop(come),
        }
        if body.left > 0 {
            return None;
        }
        self.body.take().map(|body| Piece::Body(body.kept.unwrap_or_default()))
    }
}

fn parsed(head: &[u8]) -> Result<(String, HeaderMap), String> {
    let text = std::str::from_utf8(head).map_err(|_| "a head that is no text")?;
    let mut lines = text.trim_end().split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("no header: {line}"))?;
        let name: HeaderName = name.parse().map_err(|_| format!("no header: {name}"))?;
        let value: HeaderValue = value.trim().parse().map_err(|_| format!("no value of {name}"))?;
        headers.append(name, value);
    }
    Ok((first, headers))
}

fn length(headers: &HeaderMap) -> Result<Option<usize>, String> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err("a body in chunks: this reader has none".to_owned());
    }
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let length = length.to_str().ok().and_then(|length| length.parse().ok());
    length.map(Some).ok_or_else(|| "a length that is none".to_owned())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.ends_with("json")))
}
