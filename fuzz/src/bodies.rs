//! What a stranger, a client or an Ops member sends the server: it may refuse, and never breaks.

use sealpost_api::{account::RotateAccount, problem::Problem};
use sealpost_tests::adversary::Asked;
use serde_json::Value;

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

/// Input: files or shares, as whom, edits of the body. What is taken is answered item by item, in order.
pub(crate) fn batch(bytes: &[u8]) {
    lab::with(|lab| {
        let mut input = Input::new(bytes);
        let asked = &lab.batches[usize::from(input.byte()) % lab.batches.len()].asked;
        let who = input.byte();
        let body = patch(&asked.body, &mut input);
        let honest = body == asked.body && who % 4 == 1;
        let answered = lab.runtime.block_on(send(lab, asked, who, asked.path.as_bytes(), body.clone()));
        let Some(answer) = answered else { return assert!(!honest, "the same request again was refused") };
        let (body, answer): (Value, Value) =
            (serde_json::from_slice(&body).unwrap(), serde_json::from_slice(&answer).unwrap());
        let items = body["files"].as_array().or(body["shares"].as_array()).unwrap();
        let results = answer["results"].as_array().unwrap();
        assert_eq!(items.len(), results.len(), "an item without an answer");
        for (item, result) in items.iter().zip(results) {
            assert_eq!(item["file_id"], result["file_id"], "answers in another order");
            assert!(!honest || result["problem"].is_null(), "the same item again was refused: {result}");
        }
    });
}

/// Input: as whom, edits of the body of a request for new keys. What is taken is the entry and the credential that the owner's
/// keys signed, old and new; a repeat is known by these two, and changes nothing, whatever else it holds.
pub(crate) fn rotation(bytes: &[u8]) {
    lab::with(|lab| {
        let (mut input, asked) = (Input::new(bytes), &lab.rotation.asked);
        let who = input.byte();
        let body = patch(&asked.body, &mut input);
        let answered = lab.runtime.block_on(send(lab, asked, who, asked.path.as_bytes(), body.clone()));
        if answered.is_some() {
            let ids = |body: &[u8]| {
                let read: RotateAccount = serde_json::from_slice(body).expect("what was taken");
                [read.entry.id(), read.credential.id()]
            };
            assert_eq!(ids(&body), ids(&asked.body), "other keys than the owner signed for");
            assert_eq!(who % 4, 3, "somebody else's keys were changed");
        }
    });
}

/// The body of a successful answer.
async fn send(lab: &Lab, asked: &Asked, who: u8, path: &[u8], body: Vec<u8>) -> Option<Vec<u8>> {
    // Bytes that no client can put into a path are left out.
    let path: String =
        path.iter().filter(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)).collect();
    let path = path.trim_start_matches('/');
    let url = reqwest::Url::parse(&format!("{}/{path}", lab.url())).ok()?;
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
    status.is_success().then(|| bytes.to_vec())
}
