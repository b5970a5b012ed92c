//! `invite`: a code that makes one person's keys authentic.

use sealpost_client::{Admitting, ContactStatus, InviteRequest, NewInvite, OpsInvite, Role, SignedIn};

use super::account;
use crate::{
    args::{InviteArgs, RoleArg},
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Invite, SecretText},
    qr, time,
};

pub async fn run(args: InviteArgs, context: &Context) -> Outcome {
    check(&args)?;
    let session = context.signed_in().await?;
    let invite = invite(&args, &session).await?;
    let confirm = args.confirm || args.replace || invite.role == Role::Ops;
    let output = Invite {
        email: args.email.to_string(),
        role: account::role(invite.role).to_owned(),
        name: invite.name,
        code: SecretText::new(invite.code.reveal()),
        link: SecretText::new(invite.link),
        expires_at: time::rfc3339(invite.expires_at),
        account_key: invite.account_key,
        confirm,
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

fn check(args: &InviteArgs) -> Outcome {
    if args.name.is_some() && (args.replace || args.role != Some(RoleArg::Ops)) {
        return Err(Failure::usage("--name goes with --role ops: clients have no name that others see")
            .hint("A replaced Ops member keeps the name that they had."));
    }
    Ok(())
}

async fn invite(args: &InviteArgs, session: &SignedIn) -> Outcome<NewInvite> {
    let (email, expires_in) = (args.email.clone(), args.expires.duration());
    if args.role == Some(RoleArg::Ops) && !args.replace {
        let name = args.name.clone().unwrap_or_default();
        return Ok(session.invite_ops(OpsInvite { email, name, expires_in }).await?);
    }
    let admitting = match (args.replace, args.confirm) {
        (true, _) => Admitting::Replacing,
        (false, true) => Admitting::Confirmed,
        (false, false) => Admitting::InPassing,
    };
    if let (Some(role), true) = (args.role, args.replace) {
        check_role(args, role, session).await?;
    }
    let request = InviteRequest { email, expires_in, account_key: args.account_key };
    Ok(session.invite_with(request, admitting).await?)
}

/// A replacement has the role of the account that it replaces; another one must not be ignored in silence.
async fn check_role(args: &InviteArgs, wanted: RoleArg, session: &SignedIn) -> Outcome {
    let contacts = session.contacts().await?;
    let email = args.email.as_str();
    let active = contacts.iter().find(|it| it.person.email == email && it.status == ContactStatus::Active);
    let is = match active.map(|contact| contact.role) {
        Some(Role::Ops) => RoleArg::Ops,
        Some(Role::Client) => RoleArg::Client,
        // Whoever is not there is refused with the invite itself.
        None => return Ok(()),
    };
    if is == wanted {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "role_differs",
        "a replacement has the role of the account that it replaces",
    )
    .hint("Leave --role out."))
}
