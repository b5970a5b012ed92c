//! What a recipient's client is told: whatever a server changes in an answer, the recipient gets the very file or an
//! error.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use sealpost_client::{
    Authorities, ClientBuilder, Result, SignedIn,
    http::{HttpTransport, Request, Response, ResponseBody, Transport},
    store::{MemoryStore, StateStore, StoreGuard},
};
use zeroize::Zeroizing;

use crate::{
    lab::{self, CONTENT, Lab},
    patch::{Input, patch},
};

/// Input: which answer, then edits of its body.
pub(crate) fn answer(bytes: &[u8]) {
    lab::with(|lab| lab.runtime.block_on(download(lab, bytes)));
}

async fn download(lab: &Lab, bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let url = lab.url().parse().unwrap();
    let inner = HttpTransport::new(&url, &Authorities::System, HttpTransport::TIMEOUT).unwrap();
    let (which, edits) = (usize::from(input.byte() % 16), input.rest().to_vec());
    let changed = edits.is_empty();
    let transport = Arc::new(Lying { inner, asked: AtomicUsize::new(0), which, edits });
    let store = Arc::new(Scratch { base: lab.client.store.clone(), changed: Mutex::default() });
    let me = ClientBuilder::new().transport(transport).resume(store).await.unwrap();
    let result = receive(&me, lab).await;
    match result {
        Ok((name, content)) => {
            assert_eq!(content, CONTENT, "other bytes than the owner signed");
            assert_eq!(name, "settlement.txt", "another name than the owner signed");
        }
        Err(error) => assert!(!changed, "an honest server was refused: {error}"),
    }
}

async fn receive(me: &SignedIn, lab: &Lab) -> Result<(String, Vec<u8>)> {
    me.shared(None).await?;
    let download = me.download(lab.file).await?;
    let name = download.name().to_owned();
    let mut content = Vec::new();
    download.to_writer(&mut content, &|_| {}).await?;
    Ok((name, content))
}

/// Changes one answer.
struct Lying {
    inner: HttpTransport,
    asked: AtomicUsize,
    which: usize,
    edits: Vec<u8>,
}

#[async_trait]
impl Transport for Lying {
    async fn send(&self, request: Request) -> Result<Response> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut response = self.inner.send(request).await?;
        if number != self.which {
            return Ok(response);
        }
        let mut body = Vec::new();
        while let Some(piece) = response.next_piece().await? {
            body.extend_from_slice(&piece);
        }
        let body = patch(&body, &mut Input::new(&self.edits));
        let headers = response.headers().filter(|(name, _)| *name != "content-length");
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Response::new(response.status(), headers, Box::new(Whole(Some(body.into())))))
    }
}

struct Whole(Option<Bytes>);

#[async_trait]
impl ResponseBody for Whole {
    async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

/// A device's state whose changes are forgotten after the run.
struct Scratch {
    base: MemoryStore,
    changed: Mutex<HashMap<String, Option<Vec<u8>>>>,
}

impl StateStore for Scratch {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self.changed.lock().unwrap().get(name) {
            Some(changed) => Ok(changed.clone().map(Zeroizing::new)),
            None => self.base.load(name),
        }
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.changed.lock().unwrap().insert(name.to_owned(), Some(bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.changed.lock().unwrap().insert(name.to_owned(), None);
        Ok(())
    }

    fn lock(&self, _name: &str) -> Result<Box<dyn StoreGuard>> {
        Ok(Box::new(Alone))
    }
}

/// One run at a time.
struct Alone;

impl StoreGuard for Alone {}
