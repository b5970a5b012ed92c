//! Fetches everything that was shared with an account and is not here yet. Made for a timer on a machine without a
//! person: it signs in with the account's key, so there is no password in its arguments, its environment or its logs.
//!
//! ```sh
//! chmod 600 kit.txt        # two lines: the 24 words, and the organisation's code, both from the recovery kit
//! cargo run -p sealpost-client --example fetch_new -- https://files.example.com state/ kit.txt inbox/
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its terminal")]

use std::{error::Error, fs, path::Path, sync::Arc};

use sealpost_client::{
    Anonymous, ErrorKind, KitText, Overwrite, RecoveryKit, ServerUrl, SignedIn, store::FolderStore,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, state, kit, inbox] = arguments.as_slice() else {
        return Err("usage: fetch_new SERVER STATE_FOLDER KIT_FILE INBOX_FOLDER".into());
    };
    let store = Arc::new(FolderStore::open(Path::new(state))?);
    let me = match SignedIn::resume(store.clone()).await {
        // The first run, or somebody signed this machine out.
        Err(error) if error.kind() == ErrorKind::NotSignedIn => {
            let server: ServerUrl = server.parse()?;
            Anonymous::connect(&server, store)?.login_with_kit(read_kit(Path::new(kit))?).await?
        }
        session => session?,
    };

    let mut cursor = None;
    loop {
        let page = me.shared(cursor).await?;
        for rejected in &page.rejected {
            // Not ours to repair, and no reason to leave the others where they are.
            eprintln!("{} does not verify: {}", rejected.file_id, rejected.error);
        }
        // A receipt says that this account has the whole file, on whatever device.
        for file in page.items.iter().filter(|file| !file.received) {
            let download = me.download(file.file.file_id).await?;
            // Names may repeat and may hold anything; the id does not and is safe.
            let place = Path::new(inbox).join(format!("{}-{}", file.file.file_id, download.safe_name()));
            // Interrupted, it goes on from here the next time, and counts once.
            let done = download.to_path(&place, Overwrite::Never, &|_| {}).await?;
            println!("{} bytes from {}: {}", done.size, file.from.email, place.display());
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Words on the first line, the organisation's code on the second.
fn read_kit(path: &Path) -> Result<RecoveryKit, Box<dyn Error>> {
    let text = zeroize::Zeroizing::new(fs::read_to_string(path)?);
    let mut lines = text.lines().map(|line| zeroize::Zeroizing::new(line.to_owned()));
    let (Some(words), Some(organisation)) = (lines.next(), lines.next()) else {
        return Err("the kit file has two lines: words and organisation".into());
    };
    Ok(RecoveryKit::parse(&KitText { words, organisation, account_key: None })?)
}
