//! Delivers a file from inside another program: uploads it and shares it with one person, once, however often it is run.
//!
//! ```sh
//! sealpost login --home /var/lib/app/sealpost --server https://files.example.com --email ops@example.com
//! cargo run -p sealpost-client --example deliver_from_app -- \
//!     /var/lib/app/sealpost/state client@example.com report.pdf
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its terminal")]

use std::{error::Error, path::Path, sync::Arc, time::Duration, time::SystemTime, time::UNIX_EPOCH};

use sealpost_client::{Delivery, DeliveryStatus, EmailAddress, SignedIn, Terms, store::FolderStore};

/// How long the recipient may download it.
const A_MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [state, email, file] = arguments.as_slice() else {
        return Err("usage: deliver_from_app STATE_FOLDER EMAIL FILE".into());
    };
    // The session that `sealpost login` left. It renews itself by the account's key, so nobody has to sign in again.
    let me = SignedIn::resume(Arc::new(FolderStore::open(Path::new(state))?)).await?;

    // Somebody who accepted an invite of ours can be shared with once we certified them. That is ours to do.
    me.certify_accepted().await?;

    let recipient: EmailAddress = email.parse()?;
    let until = (SystemTime::now() + A_MONTH).duration_since(UNIX_EPOCH)?.as_secs();
    let terms = Terms { expires_at: Some(until), downloads: Some(3) };
    let delivery = Delivery { path: file.into(), note: String::new(), recipients: vec![(recipient, terms)] };
    let progress = |so_far: sealpost_client::Progress| eprintln!("{} of {} bytes", so_far.done, so_far.total);
    let delivered = me.deliver(&delivery, &progress).await?;

    for outcome in delivered.recipients {
        match outcome.result {
            Ok(DeliveryStatus::Shared) => println!("{}: shared now", outcome.email),
            Ok(DeliveryStatus::Queued) => println!("{}: shared once they have joined", outcome.email),
            Ok(DeliveryStatus::Already(_)) => println!("{}: shared before", outcome.email),
            // The kind is for the program, message and hint are for people.
            Err(error) => {
                eprintln!("{}: {error}", outcome.email);
                if let Some(hint) = error.hint() {
                    eprintln!("{hint}");
                }
                return Err(error.into());
            }
        }
    }
    Ok(())
}
