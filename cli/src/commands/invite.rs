//! `invite`: a code that makes one person's keys authentic.

use sealpost_client::{Admitting, InviteRequest, Role};

use super::account;
use crate::{
    args::{InviteArgs, RoleArg},
    context::Context,
    failure::{Failure, Outcome},
    output::{Invite, SecretText},
    qr, time,
};

pub async fn run(args: InviteArgs, context: &Context) -> Outcome {
    refuse_later_features(&args)?;
    let session = context.signed_in().await?;
    let request = InviteRequest {
        email: args.email.clone(),
        expires_in: args.expires.duration(),
        account_key: args.account_key,
    };
    let admitting = match (args.replace, args.confirm) {
        (true, _) => Admitting::Replacing,
        (false, true) => Admitting::Confirmed,
        (false, false) => Admitting::InPassing,
    };
    let invite = session.invite_with(request, admitting).await?;
    let output = Invite {
        email: args.email.to_string(),
        role: account::role(Role::Client).to_owned(),
        code: SecretText::new(invite.code.reveal()),
        link: SecretText::new(invite.link),
        expires_at: time::rfc3339(invite.expires_at),
        account_key: args.account_key,
        confirm: admitting != Admitting::InPassing,
        replaces: invite.replaces.map(|old| old.to_string()),
    };
    context.printer.show(&output)?;
    if context.printer.on_terminal() {
        context.printer.out(&qr::render(output.link.expose()))?;
    }
    context.printer.note(
        "Hand this over by another way than this server (your own mail, a chat, on paper): whoever uses it first \
         is the invitee. They run: sealpost join LINK",
    );
    if output.confirm {
        let next = format!("Then call them and compare the twelve words: sealpost confirm {}", args.email);
        context.printer.note(&next);
    }
    Ok(())
}

fn refuse_later_features(args: &InviteArgs) -> Outcome {
    match args {
        InviteArgs { role: RoleArg::Ops, .. } => {
            Err(Failure::later("inviting a further Ops member (--role ops)"))
        }
        _ => Ok(()),
    }
}
