use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use sealpost_api::{API_VERSION, HEADER_API, HEADER_REQUEST_ID, limits::MAX_JSON_BODY, routes};

use crate::{
    extract::read_body,
    testing::{Answer, Auth, House},
};

async fn login(house: &House, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut request = Request::post(routes::LOGIN.path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house.send(request.body(body).unwrap()).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn bodies_that_are_not_taken_say_why() {
    let house = House::sqlite().await;
    let body = || Body::from(r#"{"email":"ada@example.org","ke1":"AAAA"}"#);
    login(&house, &[], body()).await.fails(415, "media_type");
    login(&house, &[("content-type", "text/plain")], body()).await.fails(415, "media_type");
    login(&house, &[JSON, ("content-encoding", "gzip")], body()).await.fails(415, "media_type");
    let problem = login(&house, &[JSON], Body::from("{\"email\":\n7}")).await.fails(400, "malformed_request");
    assert!(problem.detail.contains("line 2"), "{}", problem.detail);
    login(&house, &[("content-type", "Application/JSON; charset=utf-8")], body())
        .await
        .fails(503, "not_founded");
}

#[tokio::test]
async fn bodies_have_a_limit_with_and_without_a_declared_length() {
    let house = House::sqlite().await;
    let fitting = format!("{}{}", " ".repeat(MAX_JSON_BODY - 2), "{}");
    login(&house, &[JSON], Body::from(fitting.clone())).await.fails(400, "malformed_request");
    let longer = format!(" {fitting}");
    login(&house, &[JSON], Body::from(longer.clone())).await.fails(413, "too_large");
    let pieces = vec![Ok::<_, std::io::Error>(longer)];
    let stream = Body::from_stream(futures_util::stream::iter(pieces));
    login(&house, &[JSON], stream).await.fails(413, "too_large");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let stream = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = Request::post("/").body(Body::from_stream(stream)).unwrap();
    let body = read_body(request, None, MAX_JSON_BODY, Duration::from_millis(20)).await;
    assert_eq!(body.unwrap_err().into_problem().code.as_str(), "timeout");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let house = House::sqlite().await;
    let send = async |method: &str, path: &str| {
        house.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    };
    send("GET", "/nothing").await.fails(404, "not_found");
    let answer = send("DELETE", "/auth/login").await;
    answer.fails(405, "method_not_allowed");
    assert_eq!(answer.headers[header::ALLOW], "POST");
    send("GET", "/healthz").await.ok();
    send("GET", "/readyz").await.ok();
}

#[tokio::test]
async fn every_answer_has_an_id_and_stays_out_of_caches() {
    let house = House::sqlite().await;
    let answers = [
        house.get(routes::SERVER, &[], "", Auth::Nobody).await,
        house.get(routes::ACCOUNT, &[], "", Auth::Nobody).await,
        house.send(Request::get("/nothing").body(Body::empty()).unwrap()).await,
    ];
    for answer in &answers {
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[HEADER_REQUEST_ID].len(), 32);
    }
    assert_ne!(answers[0].headers[HEADER_REQUEST_ID], answers[1].headers[HEADER_REQUEST_ID]);
}

#[tokio::test]
async fn another_version_is_told_which_side_is_behind() {
    let house = House::sqlite().await;
    let get = async |path: &str, version: &str| {
        house.send(Request::get(path).header(HEADER_API, version).body(Body::empty()).unwrap()).await
    };
    let newer = (API_VERSION + 1).to_string();
    assert!(get("/account", &newer).await.fails(400, "api_version").hint.contains("upgrade the server"));
    assert!(get("/account", "0").await.fails(400, "api_version").hint.contains("upgrade the client"));
    get("/account", "x").await.fails(400, "api_version");
    get("/account", "1").await.fails(401, "not_signed_in");
    get("/server", &newer).await.ok();
}
