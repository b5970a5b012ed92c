//! `contacts`: whom this account may know.

use sealpost_client::{Contact, ContactStatus};

use super::account;
use crate::{args::ContactsArgs, context::Context, failure::Outcome, output};

pub async fn run(args: ContactsArgs, context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let (current, former): (Vec<_>, Vec<_>) = session.contacts().await?.into_iter().partition(is_current);
    if current.is_empty() {
        context.printer.note("Nobody else yet. Ops members invite with: sealpost invite EMAIL");
    }
    if !former.is_empty() && !args.all {
        let accounts = output::count(former.len() as u64, "account");
        context.printer.note(&format!("{accounts} of former members not shown: sealpost contacts --all"));
    }
    let former = former.into_iter().filter(|_| args.all);
    let contacts = current.into_iter().chain(former).map(contact).collect();
    context.printer.show(&output::Contacts { contacts })
}

fn is_current(contact: &Contact) -> bool {
    matches!(contact.status, ContactStatus::Active | ContactStatus::Pending)
}

fn contact(contact: Contact) -> output::Contact {
    output::Contact {
        user_id: contact.person.user_id.to_string(),
        email: contact.person.email,
        name: contact.person.name,
        role: account::role(contact.role).to_owned(),
        status: status(contact.status).to_owned(),
        has_shares: contact.has_shares,
        new_account: contact.succession.map(account::succession),
        keys_changed: contact.keys_changed.map(account::keys_changed),
    }
}

fn status(status: ContactStatus) -> &'static str {
    match status {
        ContactStatus::Pending => "pending",
        ContactStatus::Active => "active",
        ContactStatus::Left => "left",
        ContactStatus::Compromised => "compromised",
        ContactStatus::Replaced => "replaced",
    }
}
