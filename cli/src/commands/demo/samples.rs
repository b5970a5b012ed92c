//! Files to deliver when the user names none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rand::Rng;

/// Size of the sample that stands for a scan, bytes: more than one part.
const SCAN_BYTES: usize = 9 * 1024 * 1024 + 123;

/// Makes a letter, a table and a scan in `folder`.
pub fn make(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut scan = vec![0; SCAN_BYTES];
    rand::rng().fill_bytes(&mut scan);
    let samples = [
        ("Engagement letter – Müller.txt", letter().into_bytes()),
        ("payroll-2026.csv", payroll().into_bytes()),
        ("passport-scan.tiff", scan),
    ];
    samples
        .into_iter()
        .map(|(name, content)| {
            let path = folder.join(name);
            fs::write(&path, content).map(|()| path)
        })
        .collect()
}

fn letter() -> String {
    let number = rand::random::<u64>();
    format!(
        "Dear Ms Müller,\n\nthank you for your trust. We confirm our engagement under file number {number:016x}.\n\
         The fee is 12,500 euros; half of it is due on signature.\n\nYours sincerely,\nthe demo\n"
    )
}

fn payroll() -> String {
    let row =
        |number: u32| format!("{number};Employee {number};{}\n", 40_000 + u32::from(rand::random::<u16>()));
    "number;name;salary\n".to_owned() + &(1..=2_000).map(row).collect::<String>()
}
