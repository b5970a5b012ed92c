//! `demo`: everything once, on a temporary server, and what that server saw of it.
//!
//! The two people share nothing but this process and the invite code: each has a home of their own, and everything
//! between them and the server goes over HTTP.

mod encode;
mod holdings;
mod inspect;
mod narrator;
mod samples;
mod search;
mod secrets;
mod stage;
mod story;

use std::{pin::pin, time::Instant};

use self::{narrator::Narrator, stage::Stage, story::Story};
use crate::{
    args::DemoArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::Demo,
    signal,
};

pub async fn run(args: DemoArgs, context: &Context) -> Outcome {
    let began = Instant::now();
    let mut narrator = Narrator::new(context.printer);
    let mut stop = pin!(signal::stop());
    // Signals are listened to before there is anything to clean up.
    let stage = tokio::select! {
        biased;
        () = &mut stop => return Err(Failure::interrupted()),
        stage = Stage::set(&args.files) => stage?,
    };
    let played = tokio::select! {
        () = &mut stop => Err(Failure::interrupted()),
        played = play(&stage, &mut narrator) => played,
    };
    // Whatever happened, everything goes away.
    let cleaned = stage.strike().await;
    let mut demo = played?;
    cleaned?;
    narrator.step("Everything is cleaned up: server, homes, keys and files");
    demo.seconds = began.elapsed().as_secs_f64();
    demo.ok = demo.is_as_promised();
    context.printer.show(&demo)?;
    if demo.ok { Ok(()) } else { Err(broken_promise()) }
}

async fn play(stage: &Stage, narrator: &mut Narrator) -> Outcome<Demo> {
    let mut story = Story::begin(stage, narrator)?;
    story.found().await?;
    let link = story.invite().await?;
    story.join(link).await?;
    story.deliver().await?;
    story.receive().await?;
    let receipts = story.receipts().await?;
    inspect::inspect(story, receipts).await
}

fn broken_promise() -> Failure {
    Failure::new(Exit::Verification, "demo_failed", "the demo did not end as it must; see above")
        .hint("Report this with the output above.")
}
