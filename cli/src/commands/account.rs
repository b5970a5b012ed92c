//! What init, join, login and whoami share: an identity as output, and the recovery kit.

use sealpost_client::{Identity, KitText, NewAccount, Role, SignedIn, Status};

use crate::{
    context::Context,
    failure::Outcome,
    kit,
    output::{Account, Enrolled, Person, RecoveryKit, SecretText},
    printer::Format,
};

/// Shows the recovery kit once, registers the account after it was written down, shows the account.
pub async fn enrol(account: NewAccount, context: &Context) -> Outcome<SignedIn> {
    let kit = account.kit();
    if context.printer.format() != Format::Json {
        show_kit(&kit, context).await?;
    }
    let session = account.complete().await?;
    let account = self::account(session.whoami().await?);
    context.printer.show(&Enrolled { account, recovery_kit: kit_output(kit) })?;
    Ok(session)
}

/// On standard error, so that it does not end up in a file beside the data; again until it was written down.
async fn show_kit(kit: &KitText, context: &Context) -> Outcome {
    loop {
        context.printer.err(&kit::sheet(kit));
        if context.prompter.confirm("Have you written the recovery kit down? It is not shown again.").await? {
            return Ok(());
        }
    }
}

fn kit_output(text: KitText) -> RecoveryKit {
    RecoveryKit {
        words: SecretText::new(text.words),
        organisation: text.organisation.to_string(),
        account_key: text.account_key.map(SecretText::new),
    }
}

/// An identity as output.
pub fn account(identity: Identity) -> Account {
    Account {
        email: identity.email,
        role: role(identity.role).to_owned(),
        user_id: identity.user_id.to_string(),
        org_id: identity.org_id.to_string(),
        org_name: identity.org_name,
        server: identity.server,
        status: status(identity.status).to_owned(),
        inviter: identity.inviter.map(person),
    }
}

/// A role's name in output.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Ops => "ops",
    }
}

/// A role as a sentence has it.
pub fn role_for_people(role: Role) -> &'static str {
    match role {
        Role::Client => "Client",
        Role::Ops => "Ops member",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Active => "active",
    }
}

/// A person as output.
pub fn person(person: sealpost_client::Person) -> Person {
    Person { email: person.email, name: person.name }
}
