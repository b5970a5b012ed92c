//! What the server saw: its tables, its ciphertext, its receipts; and the search for everything it must not have.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    encode::{self, Alphabet, base64, hex},
    holdings::{self, Holdings, Table},
    search::{Needle, Report, Search},
    story::{CLIENT, ORGANISATION, Story},
};
use crate::{
    failure::{Failure, Outcome},
    output::{Demo, DemoFinding, DemoSearch, DemoTable, Receipt, count, size},
    text::safe,
};

/// Bytes of ciphertext shown.
const SHOWN_BYTES: usize = 48;
/// Name of the file with the canary, inside the server's folder.
const CANARY: &str = "canary";
/// Label of the client's address, which the server must know.
const ADDRESS: &str = "the client's address";
/// Label of the organisation's name, which stands inside signed records.
const NAME: &str = "the organisation's name";

/// Looks at everything that the server holds, and searches it.
pub async fn inspect(mut story: Story<'_>, receipts: Vec<Receipt>) -> Outcome<Demo> {
    let mut holdings = Holdings::open(&story.stage.data().join("sealpost.sqlite")).await?;
    let tables = holdings.tables().await?;
    show_tables(&mut story, &tables);
    show_ciphertext(&story)?;
    disclose(&mut story).await?;
    let search = search(&mut story, &mut holdings, &tables).await?;
    Ok(Demo {
        ok: false,
        seconds: 0.0,
        files: story.parcels.into_iter().map(|parcel| parcel.file).collect(),
        receipts,
        tables: tables
            .into_iter()
            .map(|table| DemoTable { name: table.name, rows: table.rows, bytes: table.bytes })
            .collect(),
        search,
    })
}

fn show_tables(story: &mut Story<'_>, tables: &[Table]) {
    story.narrator.step("What the server holds: its database …");
    for table in tables {
        let rows = count(table.rows, "row");
        story.narrator.line(&format!("{:<20} {rows:>9} {:>11}", table.name, size(table.bytes)));
    }
}

fn show_ciphertext(story: &Story<'_>) -> Outcome {
    let folder = story.stage.data().join("blobs");
    let unreadable = |error: std::io::Error| Failure::local("read", &folder, &error);
    let mut files = holdings::files(&folder).map_err(unreadable)?;
    files.retain(|(_, bytes)| *bytes > 0);
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    let parts = count(files.len() as u64, "sealed part");
    story.narrator.line(&format!("… and {parts} of {} in all. The largest begins with:", size(bytes)));
    if let Some((path, _)) = files.iter().max_by_key(|(_, bytes)| *bytes) {
        let mut head = Vec::new();
        File::open(path)
            .and_then(|file| file.take(SHOWN_BYTES as u64).read_to_end(&mut head))
            .map_err(unreadable)?;
        for row in head.chunks(16) {
            let pairs: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            story.narrator.line(&pairs.join(" "));
        }
    }
    Ok(())
}

/// Adds what the two devices hold, and the files' keys, to what is searched for.
async fn disclose(story: &mut Story<'_>) -> Outcome {
    let (ops, client) = (story.ops()?.device.clone(), story.client()?.device.clone());
    story.secrets.add_device("Ops", &ops)?;
    story.secrets.add_device("the client", &client)?;
    let session = story.ops()?.session.clone();
    for parcel in &story.parcels {
        let key = session.file_key(parcel.id).await?;
        story.secrets.add(format!("file key of {}", parcel.file.name), key.expose());
    }
    Ok(())
}

async fn search(story: &mut Story<'_>, holdings: &mut Holdings, tables: &[Table]) -> Outcome<DemoSearch> {
    let data = story.stage.data();
    story.narrator.step("Is anything readable there? A search through data folder, database, WAL and log");
    let canary = plant(&data)?;
    let mut needles = std::mem::take(&mut story.secrets.needles);
    let secrets = needles.len() as u64;
    let controls = [(CANARY, &canary[..]), (ADDRESS, CLIENT.as_bytes()), (NAME, ORGANISATION.as_bytes())];
    needles.extend(controls.map(|(label, bytes)| Needle::new(label, bytes)));
    let (search, mut report) = search_files(Search::new(&needles), data, story.stage.log()).await?;
    for table in tables {
        holdings.search(table, &search, &mut report).await?;
    }
    let result = DemoSearch {
        files: report.files,
        values: report.values,
        bytes: report.bytes,
        secrets,
        skipped: std::mem::take(&mut story.secrets.skipped),
        controls_found: controls_found(&report),
        found: findings(&report),
    };
    tell(story, &result);
    Ok(result)
}

/// On a thread of its own, so that Ctrl-C is heard meanwhile.
async fn search_files(search: Search, data: PathBuf, log: PathBuf) -> Outcome<(Search, Report)> {
    let searching = tokio::task::spawn_blocking(move || {
        let mut report = Report::default();
        let searched = search.folder(&data, &mut report).and_then(|()| search.file(&log, &mut report));
        searched.map_err(|error| Failure::local("search", &data, &error)).map(|()| (search, report))
    });
    searching.await.unwrap_or_else(|_| Err(Failure::interrupted()))
}

/// A secret of its own in the server's folder, in every form: if the search finds it, it would find others.
fn plant(data: &Path) -> Outcome<Vec<u8>> {
    let canary = format!("canary {:032x}", rand::random::<u128>()).into_bytes();
    let once = base64(&canary, Alphabet::UrlSafe);
    let twice = base64(once.as_bytes(), Alphabet::UrlSafe);
    let mut planted = canary.clone();
    for form in [hex(&canary), once, twice] {
        planted.push(b'\n');
        planted.extend_from_slice(form.as_bytes());
    }
    let path = data.join(CANARY);
    std::fs::write(&path, planted).map_err(|error| Failure::local("write", &path, &error))?;
    Ok(canary)
}

/// Whether the search found what it must find: the canary in every form, and in database file and tables what the
/// server has to know.
fn controls_found(report: &Report) -> bool {
    let found = |label: &str, form: &str, place: &str| {
        report
            .findings
            .iter()
            .any(|finding| finding.label == label && finding.form == form && finding.place.starts_with(place))
    };
    encode::FORMS.iter().all(|form| found(CANARY, form, CANARY))
        && found(ADDRESS, "plain", "table accounts")
        && found(ADDRESS, "plain", "sealpost.sqlite")
        && found(NAME, "base64 twice", "table log_entries")
}

fn findings(report: &Report) -> Vec<DemoFinding> {
    let controls = [CANARY, ADDRESS, NAME];
    let leaks = report.findings.iter().filter(|finding| !controls.contains(&finding.label.as_str()));
    leaks
        .map(|finding| DemoFinding {
            secret: finding.label.clone(),
            form: finding.form.to_owned(),
            place: finding.place.clone(),
        })
        .collect()
}

fn tell(story: &Story<'_>, search: &DemoSearch) {
    let told = |ok: bool, good: &str, bad: &str| story.narrator.line(if ok { good } else { bad });
    told(
        search.controls_found,
        "found:      a canary planted beside the data (plain, hex, base64, base64 twice), and what",
        "NOT FOUND:  the canary planted beside the data, or what the server must know:",
    );
    story.narrator.line("            the server has to know: the client's address, the organisation's name");
    let secrets = format!("{} names, contents, keys, seeds, passwords, codes and tokens", search.secrets);
    told(search.found.is_empty(), &format!("not found:  {secrets}"), &format!("FOUND some of {secrets}:"));
    for finding in &search.found {
        let line = format!("            {} ({}) in {}", finding.secret, finding.form, finding.place);
        story.narrator.line(&safe(&line));
    }
    for skipped in &search.skipped {
        story.narrator.line(&safe(&format!("left out:   {skipped}")));
    }
    let looked = format!("{}, {}", count(search.files, "file"), count(search.values, "database value"));
    story.narrator.line(&format!("looked at:  {looked}, {}", size(search.bytes)));
}
