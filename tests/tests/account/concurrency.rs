//! More than fifty writers at one time, on several devices of several Ops members: every place is held by one record,
//! nothing that was acknowledged is lost, and nobody is accused (attack catalogue A66); on both databases.

use std::collections::BTreeMap;

use sealpost_client::{Error, FileId, SignedIn, Terms};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device, address},
};
use tokio::task::JoinSet;

/// People who have joined by each Ops member's invite, and wait.
const PENDING: usize = 4;
/// Files of each Ops member that everybody's client gets.
const FILES: usize = 4;
/// How often each device shares one file and ends the share again.
const TOGGLES: usize = 4;

/// An Ops member with two devices.
struct Member {
    devices: [Device; 2],
    /// For the client; the first one is queued for everybody who waits, too.
    files: Vec<FileId>,
    /// Shared and unshared all the time.
    toggled: FileId,
}

/// The file that a writer has shared with the client, if it did that.
type Outcome = Result<Option<FileId>, Error>;

on_both_databases! {
    async fn more_than_fifty_writers_end_well(server: TestServer) {
        let url = server.url();
        let (ops, client) = sdk::organisation(&server).await;
        let other = ops.welcome(&url, "other@example.com").await;
        let otto = ops.welcome_ops(&url, "otto@example.com", "Otto").await;
        let petra = ops.welcome_ops(&url, "petra@example.com", "Petra").await;
        let (mut members, mut joined) = (Vec::new(), BTreeMap::new());
        for (number, device) in [ops, otto, petra].into_iter().enumerate() {
            members.push(Member::prepare(&url, number, device, &mut joined).await);
        }

        let writers = writers(&members, &client, &other, &joined);
        assert!(writers.len() > 50, "{}", writers.len());
        let mut shared = Vec::new();
        for outcome in writers.join_all().await {
            shared.extend(outcome.unwrap_or_else(|error| panic!("{:?} {}: {error}", error.kind(), error.code())));
        }
        shared.sort_unstable();
        assert_eq!(shared.len(), members.len() * FILES, "one device of each owner was the first");

        // What was queued after its turn has come: the next session of its owner completes it.
        for member in &members {
            assert!(member.devices[0].me.admit_accepted().await.unwrap().certified.is_empty(), "all were admitted");
            member.devices[1].me.complete_queued().await.unwrap();
        }
        all_is_well(&url, &members, &client, &other, &shared).await;
        for (email, person) in &joined {
            let list = person.me.shared(None).await.unwrap();
            assert_eq!((list.rejected.len(), list.items.len()), (0, members.len()), "{email}");
            for file in list.items {
                assert_eq!(person.download(file.file.file_id).await.unwrap(), file.file.name.as_bytes());
            }
        }
    }
}

/// Devices that have seen nothing yet verify all of it: the log and every pair, without a gap.
async fn all_is_well(url: &str, members: &[Member], client: &Device, other: &Device, shared: &[FileId]) {
    let client = client.other_device(url).await;
    for file in shared {
        assert!(client.download(*file).await.unwrap().starts_with(b"file "));
    }
    let list = other.other_device(url).await.me.shared(None).await.unwrap();
    assert!(list.rejected.is_empty());
    for member in members {
        let files = member.devices[0].other_device(url).await.me.files(None).await.unwrap();
        assert!(files.rejected.is_empty());
        assert!(files.items.iter().all(|own| own.queued.is_empty()), "nothing waits any more");
        let toggled = files.items.iter().find(|own| own.file.file_id == member.toggled).unwrap();
        let live = toggled.shares.iter().filter(|share| !share.ended).count();
        let listed = list.items.iter().filter(|file| file.file.file_id == member.toggled).count();
        assert_eq!(live, listed, "owner and recipient agree");
        for own in files.items.iter().filter(|own| own.file.file_id != member.toggled) {
            let mut people: Vec<_> = own.shares.iter().map(|share| &share.recipient.email).collect();
            people.sort_unstable();
            let shares = people.len();
            people.dedup();
            assert_eq!(shares, people.len(), "one share for each person");
        }
    }
}

impl Member {
    async fn prepare(
        url: &str,
        number: usize,
        device: Device,
        joined: &mut BTreeMap<String, Device>,
    ) -> Self {
        let mut files = Vec::new();
        for n in 0..FILES {
            let name = format!("file {number} {n}");
            files.push(device.upload(&name, name.as_bytes()).await);
        }
        let toggled = device.upload("toggled", b"toggled").await;
        for n in 0..PENDING {
            let email = format!("p{number}{n}@example.com");
            let person = sdk::join(url, &email, device.invite(&email).await).await;
            joined.insert(email, person);
        }
        let second = device.other_device(url).await;
        Self { devices: [device, second], files, toggled }
    }
}

fn writers(
    members: &[Member],
    client: &Device,
    other: &Device,
    joined: &BTreeMap<String, Device>,
) -> JoinSet<Outcome> {
    let mut writers = JoinSet::new();
    for member in members {
        for device in &member.devices {
            let me = || device.me.clone();
            writers.spawn(admit(me()));
            writers.spawn(complete(me()));
            writers.spawn(complete(me()));
            writers.spawn(toggle(me(), member.toggled, other.email.as_str().to_owned()));
            for file in &member.files {
                writers.spawn(share(me(), *file, client.email.as_str().to_owned()));
            }
            for emails in joined.keys().collect::<Vec<_>>().chunks(PENDING) {
                writers.spawn(queue(me(), member.files[0], emails.iter().map(ToString::to_string).collect()));
            }
        }
    }
    writers
}

async fn admit(me: SignedIn) -> Outcome {
    me.certify_accepted().await.map(|_| None)
}

async fn complete(me: SignedIn) -> Outcome {
    me.complete_queued().await.map(|_| None)
}

async fn share(me: SignedIn, file: FileId, email: String) -> Outcome {
    let outcomes = me.share(file, &[address(&email)], Terms::default()).await?;
    match outcomes.into_iter().next().expect("one outcome").result {
        Ok(_) => Ok(Some(file)),
        // Another device of theirs was first.
        Err(error) if error.code() == "already_shared" => Ok(None),
        Err(error) => Err(error),
    }
}

async fn toggle(me: SignedIn, file: FileId, email: String) -> Outcome {
    for _ in 0..TOGGLES {
        match share(me.clone(), file, email.clone()).await {
            // An unshare of the other device cancels the share.
            Err(error) if error.code() != "share_cancelled" => return Err(error),
            _ => {}
        }
        match me.unshare(file, &address(&email)).await {
            Err(error) if error.code() != "not_shared" => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

/// Shares with people who are being admitted at this moment: now, or later.
async fn queue(me: SignedIn, file: FileId, emails: Vec<String>) -> Outcome {
    let emails: Vec<_> = emails.iter().map(|email| address(email)).collect();
    for outcome in me.share(file, &emails, Terms::default()).await? {
        match outcome.result {
            Err(error) if error.code() != "already_shared" => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}
