//! `revoke`: ends a membership.

use sealpost_client::{Revocation, RevokeReason, Role};

use super::account::{self, person};
use crate::{
    args::{ReasonArg, RevokeArgs},
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Revoked, count},
    text::safe,
};

pub async fn run(args: RevokeArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let revocation = session.revocation(&args.email).await?;
    if revocation.has_left() && args.reason == ReasonArg::Left {
        let message = format!("{} is not a member any more already", args.email);
        return Err(Failure::new(Exit::Forbidden, "already_revoked", message)
            .hint("If their keys may be in other hands: --reason compromised."));
    }
    show(&revocation, args.reason, context);
    if !context.prompter.confirm(&question(&revocation, args.reason)).await? {
        return Err(Failure::new(Exit::Usage, "declined", "nobody was revoked").hint("To go on, answer y."));
    }
    let (user_id, oneself) = (revocation.person().user_id, revocation.is_oneself());
    let revoked = revocation.revoke(args.reason.into()).await?;
    context.printer.show(&Revoked {
        user_id: user_id.to_string(),
        email: revoked.person.email.clone(),
        name: revoked.person.name,
        reason: reason(revoked.reason).to_owned(),
        certified: revoked.certified.into_iter().map(person).collect(),
    })?;
    if !oneself {
        let email = safe(&revoked.person.email);
        context.printer.note(&format!("What they left behind: sealpost left {email}"));
    }
    Ok(())
}

fn reason(reason: RevokeReason) -> &'static str {
    match reason {
        RevokeReason::Left => "left",
        RevokeReason::Compromised => "compromised",
    }
}

fn show(revocation: &Revocation, reason: ReasonArg, context: &Context) {
    let printer = &context.printer;
    let role = account::role_for_people(revocation.role());
    printer.note(&format!("{}, {role}.", person(revocation.person().clone()).human()));
    printer.note(&format!(
        "  {} to them can be used now: none will.",
        count(revocation.shares_to_them(), "share")
    ));
    if revocation.role() == Role::Ops {
        let given = count(revocation.shares_by_them(), "share");
        printer.note(&match reason {
            ReasonArg::Left => {
                format!("  {given} by them can be used now: they stay readable, marked \"sender has left\".")
            }
            ReasonArg::Compromised => format!("  {given} by them can be used now: none will be accepted."),
        });
        printer.note(&format!(
            "  {} of theirs will not work any more.",
            count(revocation.invites(), "open invite")
        ));
    }
    for admitted in revocation.certified() {
        printer.note(&format!(
            "  {} was admitted by them, and stays a member.",
            person(admitted.clone()).human()
        ));
    }
}

fn question(revocation: &Revocation, reason: ReasonArg) -> String {
    if revocation.is_oneself() {
        return "End YOUR OWN membership, for good? Only another Ops member could invite you again."
            .to_owned();
    }
    let email = safe(&revocation.person().email);
    match reason {
        ReasonArg::Left => format!("End the membership of {email}, for good?"),
        ReasonArg::Compromised => {
            format!("End the membership of {email}, and let nothing count that they ever signed?")
        }
    }
}
