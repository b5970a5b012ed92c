//! What init, join, login and whoami share: an identity as output, and the recovery kit.

use sealpost_client::{Identity, KitText, NewAccount as Enrolling, Role, SignedIn, Status, Succession};

use crate::{
    context::Context,
    failure::Outcome,
    kit,
    output::{Account, Enrolled, KeysChanged, NewAccount, Person, RecoveryKit, SecretText},
    printer::Format,
    time,
};

/// Shows the recovery kit once, registers the account after it was written down, shows the account.
pub async fn enrol(account: Enrolling, context: &Context) -> Outcome<SignedIn> {
    let kit = account.kit();
    if context.printer.format() != Format::Json {
        show_kit(&kit, context).await?;
    }
    let session = account.complete().await?;
    let account = self::account(session.whoami().await?, context)?;
    context.printer.show(&Enrolled { account, recovery_kit: kit_output(kit) })?;
    Ok(session)
}

/// On standard error, so that it does not end up in a file beside the data; again until it was written down.
pub async fn show_kit(kit: &KitText, context: &Context) -> Outcome {
    loop {
        context.printer.err(&kit::sheet(kit));
        if context.prompter.confirm("Have you written the recovery kit down? It is not shown again.").await? {
            return Ok(());
        }
    }
}

/// The kit as output.
pub fn kit_output(text: KitText) -> RecoveryKit {
    RecoveryKit {
        words: SecretText::new(text.words),
        organisation: text.organisation.to_string(),
        account_key: text.account_key.map(SecretText::new),
    }
}

/// An identity as output.
pub fn account(identity: Identity, context: &Context) -> Outcome<Account> {
    Ok(Account {
        email: identity.email,
        role: role(identity.role).to_owned(),
        user_id: identity.user_id.to_string(),
        org_id: identity.org_id.to_string(),
        org_name: identity.org_name,
        server: identity.server,
        status: status(identity.status).to_owned(),
        inviter: identity.inviter.map(person),
        words: identity.words.map(|words| words.map(str::to_owned).to_vec()),
        keys: context.keys.kept()?,
    })
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

/// How somebody's new account came, as output.
pub fn succession(succession: Succession) -> NewAccount {
    NewAccount { invited_by: succession.invited_by.map(person), since: succession.since.map(time::rfc3339) }
}

/// When somebody changed their keys, as output.
pub fn keys_changed(change: sealpost_client::KeysChanged) -> KeysChanged {
    KeysChanged { generation: change.generation, log_size: change.log_size, at: change.at.map(time::rfc3339) }
}

/// A person as output.
pub fn person(person: sealpost_client::Person) -> Person {
    Person { email: person.email, name: person.name }
}
