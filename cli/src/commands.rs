//! One module per command: arguments in, SDK calls, data out through the printer.

mod account;
mod completions;
mod confirm;
mod contacts;
mod deliver;
mod demo;
mod download;
mod evidence;
mod info;
mod init;
mod invite;
mod items;
mod join;
mod left;
mod listing;
mod login;
mod logout;
mod ls;
mod man;
mod passwd;
mod receipts;
mod recover;
mod reference;
mod reshare;
mod revoke;
mod rm;
mod rotate;
mod serve;
mod service;
mod share;
mod shared;
mod unshare;
mod upload;
mod verify;
mod verify_evidence;
mod watch;
mod whoami;
mod withdraw;

use tokio::runtime::Runtime;

use crate::{
    args::{Cli, Command},
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    printer::Printer,
    signal,
};

/// Runs the command to its end.
pub fn run(cli: Cli, printer: Printer) -> Outcome {
    match cli.command {
        // What the program says about itself needs no home folder.
        Command::Completions(args) => completions::run(&args, &printer),
        Command::Man(args) => man::run(&args, &printer),
        // Nor does evidence: it is checked by people who have none.
        Command::VerifyEvidence(args) => verify_evidence::run(&args, &printer),
        Command::Reference(args) => reference::run(&args, &printer),
        command => with_home(Cli { command, ..cli }, printer),
    }
}

fn with_home(cli: Cli, printer: Printer) -> Outcome {
    let context = Context::new(&cli.global, printer)?;
    let runtime = Runtime::new().map_err(|error| {
        Failure::new(Exit::LocalFile, "runtime", format!("can't start the runtime: {error}"))
            .hint("The system has no room for another program: end some, then try again.")
    })?;
    let outcome = runtime.block_on(dispatch(cli.command, &context));
    // A prompt may still wait for a line that nobody will type.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(command: Command, context: &Context) -> Outcome {
    match command {
        // These two stop and clean up by themselves.
        Command::Serve(args) => serve::run(args, context).await,
        Command::Demo(args) => demo::run(args, context).await,
        Command::Watch(args) => signal::until_stopped(watch::run(args, context)).await,
        command => signal::until_interrupted(client(command, context)).await,
    }
}

async fn client(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Init(args) => init::run(args, context).await,
        Command::Invite(args) => invite::run(args, context).await,
        Command::Join(args) => join::run(args, context).await,
        Command::Login(args) => login::run(args, context).await,
        Command::Logout => logout::run(context).await,
        Command::Whoami => whoami::run(context).await,
        Command::Passwd(args) => passwd::run(args, context).await,
        Command::Rotate(args) => rotate::run(args, context).await,
        Command::Recover(args) => recover::run(args, context).await,
        Command::Upload(args) => upload::run(args, context).await,
        Command::Deliver(args) => deliver::run(args, context).await,
        Command::Share(args) => share::run(args, context).await,
        Command::Unshare(args) => unshare::run(args, context).await,
        Command::Ls(args) => ls::run(args, context).await,
        Command::Shared(args) => shared::run(args, context).await,
        Command::Download(args) => download::run(args, context).await,
        Command::Receipts(args) => receipts::run(args, context).await,
        Command::Info(args) => info::run(args, context).await,
        Command::Evidence(args) => evidence::run(args, context).await,
        Command::Rm(args) => rm::run(args, context).await,
        Command::Contacts(args) => contacts::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Confirm(args) => confirm::run(args, context).await,
        Command::Reshare(args) => reshare::run(args, context).await,
        Command::Revoke(args) => revoke::run(args, context).await,
        Command::Left(args) => left::run(args, context).await,
        Command::Withdraw(args) => withdraw::run(args, context).await,
        Command::Service(args) => service::run(args, context).await,
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Watch(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::VerifyEvidence(_)
        | Command::Reference(_) => Ok(()),
    }
}
