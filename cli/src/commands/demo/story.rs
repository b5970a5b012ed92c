//! What happens: founding, inviting, joining, delivering, receiving, receipts.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use sealpost_client::{
    Again, Anonymous, EmailAddress, FileId, FoundOrganisation, InviteLink, InviteRequest, Overwrite,
    Password, RawRecord, ReceiptInfo, SignedIn, Terms, Token, store::FolderStore,
};
use zeroize::Zeroizing;

use super::{
    narrator::Narrator,
    search::{Report, Search},
    secrets::Secrets,
    stage::Stage,
};
use crate::{
    commands::receipts,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{self, DemoFile, Receipt, count, size},
    progress::Meter,
    text::safe,
    time::{self, Lifetime},
};

/// The organisation.
pub const ORGANISATION: &str = "Demo & Partners";
/// Its Ops member.
pub const OPS: &str = "ops@demo.example";
/// Its client.
pub const CLIENT: &str = "client@demo.example";
/// How long the invite and the shares last.
const LIFETIME: Lifetime = Lifetime::days(7);
/// Downloads that each share allows.
const DOWNLOADS: u64 = 3;

/// Bytes compared at once.
const BLOCK: usize = 1 << 20;

/// A person and their device.
pub struct Person {
    /// Signed in.
    pub session: SignedIn,
    /// What the device keeps.
    pub device: Arc<FolderStore>,
}

/// A file on its way.
pub struct Parcel {
    /// The original.
    pub original: PathBuf,
    /// Its id.
    pub id: FileId,
    /// Its fate.
    pub file: DemoFile,
}

/// The story so far.
pub struct Story<'a> {
    /// Where it plays.
    pub stage: &'a Stage,
    /// Who tells it.
    pub narrator: &'a mut Narrator,
    /// What must never be on the server.
    pub secrets: Secrets,
    /// What was delivered.
    pub parcels: Vec<Parcel>,
    /// The Ops member, once founded.
    pub ops: Option<Person>,
    /// The client, once joined.
    pub client: Option<Person>,
}

impl<'a> Story<'a> {
    /// Before anything happened.
    pub fn begin(stage: &'a Stage, narrator: &'a mut Narrator) -> Outcome<Self> {
        let mut secrets = Secrets::default();
        for file in &stage.files {
            secrets.add_file(file)?;
        }
        let known = known_before(stage, &secrets)?;
        secrets.forget(&known.iter().map(String::as_str).collect());
        narrator.step(&format!("A server starts on {} with an empty data folder", stage.server().url()));
        narrator.line(&safe(&stage.data().display().to_string()));
        Ok(Self { stage, narrator, secrets, parcels: Vec::new(), ops: None, client: None })
    }

    /// The Ops member founds the organisation.
    pub async fn found(&mut self) -> Outcome {
        self.narrator.step(&format!("{OPS} founds “{ORGANISATION}” with the server's setup token"));
        let token =
            self.stage.server().setup_token().map(|token| token.expose().to_owned()).unwrap_or_default();
        self.secrets.add("setup token", &token);
        let device = self.stage.home("ops")?;
        let founding = FoundOrganisation {
            setup_token: Token::new(token),
            email: address(OPS)?,
            name: "Olga Ops".to_owned(),
            organisation: ORGANISATION.to_owned(),
            password: self.password("Ops")?,
        };
        let account = self.anonymous(&device)?.found(founding).await?;
        let session = account.complete().await?;
        self.narrator
            .line("Keys were made on the Ops member's device; the server got the public halves, and the");
        self.narrator
            .line("rest sealed under a key that the password gives. The password never left the device.");
        self.ops = Some(Person { session, device });
        Ok(())
    }

    /// The Ops member invites the client: the one thing that passes between them outside of the server.
    pub async fn invite(&mut self) -> Outcome<Zeroizing<String>> {
        let request =
            InviteRequest { email: address(CLIENT)?, expires_in: LIFETIME.duration(), account_key: false };
        let invite = self.ops()?.session.invite(request).await?;
        let code = invite.code.reveal();
        self.secrets.add("invite code", code.replace('-', ""));
        self.secrets.add("invite code with hyphens", &*code);
        self.secrets.add("invite secret", invite.code.secret().expose());
        self.narrator.step(&format!("{OPS} invites {CLIENT}"));
        self.narrator.line(&format!("Invite code: {}", &*code));
        self.narrator.line("It goes by mail, chat or paper, past the server, and is all that the two share.");
        Ok(invite.link)
    }

    /// The client joins with the code; the Ops member's next session admits them.
    pub async fn join(&mut self, link: Zeroizing<String>) -> Outcome {
        self.narrator.step(&format!("{CLIENT} joins with the code, on a device of their own"));
        let device = self.stage.home("client")?;
        let invite: InviteLink = link.parse().map_err(unexpected)?;
        let preview = self.anonymous(&device)?.preview(invite.code).await?;
        self.narrator.line(&format!(
            "The code proves who invites: {} of “{}”.",
            output::Person { email: preview.inviter().email.clone(), name: preview.inviter().name.clone() }
                .human(),
            safe(preview.organisation())
        ));
        let account = preview.join(self.password("the client")?).await?;
        let session = account.complete().await?;
        self.client = Some(Person { session, device });
        let admitted = self.ops()?.session.certify_accepted().await?;
        if admitted.is_empty() {
            return Err(unexpected("nobody was admitted"));
        }
        self.narrator
            .line(&format!("{OPS}'s device checks the code's proof and certifies the client's keys."));
        Ok(())
    }

    /// The Ops member uploads and shares.
    pub async fn deliver(&mut self) -> Outcome {
        self.narrator.step(&format!("{OPS} seals the files and shares them with {CLIENT}"));
        let note = format!("demo note {:032x}", rand::random::<u128>());
        self.secrets.add("note", &note);
        for path in &self.stage.files {
            let parcel = self.deliver_one(path, &note).await?;
            self.narrator.line(&format!("{:>11}  {}", size(parcel.file.size), safe(&parcel.file.name)));
            self.parcels.push(parcel);
        }
        let end = time::rfc3339(LIFETIME.ends_at());
        self.narrator.line(&format!("Each share ends at {end} or after {DOWNLOADS} downloads."));
        Ok(())
    }

    async fn deliver_one(&self, path: &Path, note: &str) -> Outcome<Parcel> {
        let session = &self.ops()?.session;
        let meter = Meter::new(&self.narrator.printer, &path.display().to_string());
        let file = session.upload_path(path, note, Again::Allow, &meter.callback()).await?;
        let terms = Terms { expires_at: Some(LIFETIME.ends_at()), downloads: Some(DOWNLOADS) };
        for outcome in session.share(file.file_id, &[address(CLIENT)?], terms).await? {
            outcome.result?;
        }
        let fate = DemoFile {
            file_id: file.file_id.to_string(),
            name: file.file.name,
            size: file.file.size,
            identical: false,
        };
        Ok(Parcel { original: path.to_owned(), id: file.file_id, file: fate })
    }

    /// The client downloads, and compares with the originals.
    pub async fn receive(&mut self) -> Outcome {
        self.narrator.step(&format!("{CLIENT} downloads; every byte is verified before a file appears"));
        let session = self.client()?.session.clone();
        for (index, parcel) in self.parcels.iter_mut().enumerate() {
            let folder = self.stage.inbox().join(index.to_string());
            std::fs::create_dir_all(&folder).map_err(|error| Failure::local("make", &folder, &error))?;
            let download = session.download(parcel.id).await?;
            let destination = folder.join(download.safe_name().as_str());
            let meter = Meter::new(&self.narrator.printer, download.name());
            download.to_path(&destination, Overwrite::Never, &meter.callback()).await?;
            drop(meter);
            let same = same(&parcel.original, &destination);
            parcel.file.identical = same.map_err(|error| Failure::local("compare", &destination, &error))?;
            let verdict = if parcel.file.identical { "identical" } else { "DIFFERENT" };
            self.narrator.line(&format!("{verdict}  {}", safe(&parcel.file.name)));
        }
        Ok(())
    }

    /// The Ops member sees the client's signed receipts.
    pub async fn receipts(&mut self) -> Outcome<Vec<Receipt>> {
        self.narrator.step(&format!("{OPS} holds receipts that {CLIENT}'s device signed"));
        let received = self.all_receipts().await?;
        for receipt in &received {
            self.narrator.line(&format!("{}  {}", time::rfc3339(receipt.received_at), safe(&receipt.name)));
        }
        if received.len() < self.parcels.len() {
            let missing = count((self.parcels.len() - received.len()) as u64, "receipt");
            self.narrator.line(&format!("MISSING: {missing}"));
        }
        if let Some(first) = received.first() {
            self.narrator
                .line("Each was verified through the organisation's log. This is what the first one says:");
            self.tell_record(&first.record);
        }
        Ok(received.into_iter().map(receipts::receipt).collect())
    }

    async fn all_receipts(&self) -> Outcome<Vec<ReceiptInfo>> {
        let mut received = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.ops()?.session.receipts(None, cursor).await?;
            if let Some(rejected) = page.rejected.into_iter().next() {
                return Err(rejected.error.into());
            }
            received.extend(page.items);
            cursor = match page.next_cursor {
                Some(next) => Some(next),
                None => return Ok(received),
            };
        }
    }

    fn tell_record(&self, record: &RawRecord) {
        let payload = String::from_utf8_lossy(&record.payload.0);
        for field in payload.trim_matches(['{', '}']).split(',') {
            self.narrator.line(&format!("    {}", safe(field)));
        }
        let json = serde_json::to_value(record).unwrap_or_default();
        self.narrator.line(&format!("    signature: {}", json["signature"].as_str().unwrap_or_default()));
    }

    /// The Ops member.
    pub fn ops(&self) -> Outcome<&Person> {
        self.ops.as_ref().ok_or_else(|| unexpected("no organisation yet"))
    }

    /// The client.
    pub fn client(&self) -> Outcome<&Person> {
        self.client.as_ref().ok_or_else(|| unexpected("no client yet"))
    }

    fn anonymous(&self, device: &Arc<FolderStore>) -> Outcome<Anonymous> {
        let server = self.stage.server().url().parse()?;
        Ok(Anonymous::connect(&server, Arc::<FolderStore>::clone(device))?)
    }

    fn password(&mut self, person: &str) -> Outcome<Password> {
        let password = format!("demo password {:032x}", rand::random::<u128>());
        self.secrets.add(format!("password of {person}"), &password);
        Password::new(password).map_err(unexpected)
    }
}

/// Labels of what stands in a server's folder and log before anything was delivered: the words of its database
/// schema, say.
fn known_before(stage: &Stage, secrets: &Secrets) -> Outcome<Vec<String>> {
    let mut report = Report::default();
    let data = stage.data();
    let search = Search::new(&secrets.needles);
    let searched = search.folder(&data, &mut report).and_then(|()| search.file(&stage.log(), &mut report));
    searched.map_err(|error| Failure::local("search", &data, &error))?;
    Ok(report.findings.into_iter().map(|finding| finding.label).collect())
}

fn address(text: &str) -> Outcome<EmailAddress> {
    text.parse().map_err(unexpected)
}

fn unexpected(what: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Verification, "demo_failed", format!("the demo went wrong: {what}"))
}

/// Compares two files byte by byte.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let mut left = one.metadata()?.len();
    if left != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut here, mut there) = (vec![0; BLOCK], vec![0; BLOCK]);
    while left > 0 {
        let length = left.min(BLOCK as u64) as usize;
        one.read_exact(&mut here[..length])?;
        other.read_exact(&mut there[..length])?;
        if here[..length] != there[..length] {
            return Ok(false);
        }
        left -= length as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_different_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let original = write("a", b"0123456789");
        assert!(same(&original, &write("b", b"0123456789")).unwrap());
        assert!(!same(&original, &write("c", b"0123456788")).unwrap());
        assert!(!same(&original, &write("d", b"012345678")).unwrap());
    }
}
