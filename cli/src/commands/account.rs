//! What init, join, login and whoami share: an identity as output, and the recovery kit.

use sealpost_client::{Identity, KitText, NewAccount, Role, SignedIn, Status};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    failure::Outcome,
    output::{Account, Enrolled, Person, RecoveryKit, SecretText},
    printer::Format,
};

/// Words side by side on the kit.
const KIT_COLUMNS: usize = 4;
/// Room for a kit with everything around it, so that no copy stays behind when the string grows.
const KIT_SHEET_BYTES: usize = 1_024;

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
        context.printer.err(&kit_sheet(kit));
        if context.prompter.confirm("Have you written the recovery kit down? It is not shown again.").await? {
            return Ok(());
        }
    }
}

/// The words in numbered columns, the codes below.
fn kit_sheet(kit: &KitText) -> Zeroizing<String> {
    let mut sheet = Zeroizing::new(String::with_capacity(KIT_SHEET_BYTES));
    sheet.push_str(
        "\nRECOVERY KIT: the only way back if the password is lost. Write it down, keep it safe.\n",
    );
    for (index, word) in kit.words.split(' ').enumerate() {
        sheet.push_str(if index % KIT_COLUMNS == 0 { "\n  " } else { "" });
        sheet.push_str(&format!("{:>2} {word:<10}", index + 1));
    }
    sheet.push_str("\n\n  organisation  ");
    sheet.push_str(&kit.organisation);
    if let Some(key) = &kit.account_key {
        sheet.push_str("\n  account key   ");
        sheet.push_str(key);
    }
    sheet.push_str("\n\n");
    sheet
}

fn kit_output(kit: KitText) -> RecoveryKit {
    RecoveryKit {
        words: SecretText::new(kit.words),
        organisation: kit.organisation.to_string(),
        account_key: kit.account_key.map(SecretText::new),
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
