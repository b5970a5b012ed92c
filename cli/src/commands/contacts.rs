//! `contacts`: whom this account may know.

use sealpost_client::{Contact, ContactStatus};

use super::account;
use crate::{context::Context, failure::Outcome, output};

pub async fn run(context: &Context) -> Outcome {
    let session = context.signed_in().await?;
    let contacts: Vec<_> = session.contacts().await?.into_iter().map(contact).collect();
    if contacts.is_empty() {
        context.printer.note("Nobody else yet. Ops members invite with: sealpost invite EMAIL");
    }
    context.printer.show(&output::Contacts { contacts })
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
