//! What a stranger, a client or an Ops member sends the server: it may refuse, and never breaks.

use sealpost_api::problem::Problem;
use sealpost_tests::adversary::Asked;

use crate::{
    lab::{self, Lab},
    patch::{Input, patch},
};

/// Input: which request of the story, as whom, edits of its path (a piece), edits of its body.
pub(crate) fn body(bytes: &[u8]) {
    lab::with(|lab| {
        let mut input = Input::new(bytes);
        let asked = &lab.story[input.short() % lab.story.len()].asked;
        let who = input.byte();
        let path = patch(asked.path.as_bytes(), &mut input.piece());
        let body = patch(&asked.body, &mut input);
        lab.runtime.block_on(send(lab, asked, who, &path, body));
    });
}

async fn send(lab: &Lab, asked: &Asked, who: u8, path: &[u8], body: Vec<u8>) {
    // Bytes that no client can put into a path are left out.
    let path: String =
        path.iter().filter(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)).collect();
    let path = path.trim_start_matches('/');
    let Ok(url) = reqwest::Url::parse(&format!("{}/{path}", lab.server.url())) else { return };
    let mut headers = asked.headers.clone();
    for name in ["host", "content-length", "authorization"] {
        headers.remove(name);
    }
    let method = reqwest::Method::from_bytes(asked.method.as_bytes()).unwrap();
    let mut request = lab.http.request(method, url).headers(headers).body(body);
    match who % 4 {
        0 => {}
        1 => request = request.bearer_auth(lab::token(&lab.ops)),
        2 => request = request.bearer_auth(lab::token(&lab.client)),
        _ => {
            if let Some(original) = asked.headers.get("authorization") {
                request = request.header("authorization", original);
            }
        }
    }
    let answer = request.send().await.expect("the server hung up");
    let status = answer.status();
    assert!(!status.is_server_error(), "{status} for {} {path}", asked.method);
    let bytes = answer.bytes().await.expect("the answer was cut");
    if status.is_client_error() {
        let problem: Problem = serde_json::from_slice(&bytes).expect("an error that is no problem document");
        assert_eq!(problem.status, status.as_u16());
    }
}
