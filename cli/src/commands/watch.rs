//! `watch`: admits who joins and shares what was queued, until stopped.

use sealpost_client::{SignedIn, WatchEvent};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{
    args::WatchArgs,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::WatchLine,
    printer::Printer,
};

pub async fn run(args: WatchArgs, context: &Context) -> Outcome {
    let session = context.session_here().await?;
    let (sender, mut events) = unbounded_channel();
    // The receiver lives as long as the watch does.
    let report = move |event| drop(sender.send(event));
    if !args.once {
        context.printer.show(&WatchLine::watching())?;
    }
    let watching = watch(&args, &session, report);
    tokio::pin!(watching);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => show(event, &context.printer)?,
            outcome = &mut watching => break outcome,
        }
    };
    show_rest(&mut events, &context.printer)?;
    outcome
}

async fn watch(args: &WatchArgs, session: &SignedIn, report: impl FnMut(WatchEvent)) -> Outcome {
    let outcome = if args.once {
        session.watch_once(report).await
    } else {
        session.watch(args.interval.duration(), report).await.map(|never| match never {})
    };
    outcome.map_err(|error| {
        let failure = Failure::from(error);
        match failure.exit {
            Exit::Verification => failure.about("watching has stopped, because something does not verify"),
            _ => failure,
        }
    })
}

fn show(event: WatchEvent, printer: &Printer) -> Outcome {
    printer.show(&WatchLine::from(event))
}

fn show_rest(events: &mut UnboundedReceiver<WatchEvent>, printer: &Printer) -> Outcome {
    while let Ok(event) = events.try_recv() {
        show(event, printer)?;
    }
    Ok(())
}
