//! What a list of deliveries comes to: one delivery for each path, and everything that stands against it.

use std::{collections::HashMap, path::PathBuf};

use sealpost_client::{Delivery, EmailAddress, SignedIn};

use super::list::{Problem, Row, RowText, wrong};
use crate::failure::{Failure, Outcome};

/// One file of the list: its delivery, and for each of its recipients the row that names them.
pub struct Job {
    /// What the SDK is asked for.
    pub delivery: Delivery,
    /// In the order of the delivery's recipients.
    pub rows: Vec<RowText>,
}

/// Puts the rows of each path together, in the order in which paths are first named.
pub fn jobs(rows: Vec<Row>, problems: &mut Vec<Problem>) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut by_path: HashMap<PathBuf, usize> = HashMap::new();
    for row in rows {
        // One file under two spellings is one file.
        let name = std::path::absolute(&row.path).unwrap_or_else(|_| row.path.clone());
        let index = *by_path.entry(name).or_insert(jobs.len());
        match jobs.get_mut(index) {
            None => jobs.push(Job::new(row)),
            Some(job) => match job.conflict(&row) {
                None => job.add(row),
                Some(failure) => problems.push(Problem { at: row.text, failure }),
            },
        }
    }
    jobs
}

/// Looks for everything that can be known to fail before anything is sent: files here, people there.
pub async fn check(jobs: &[Job], session: &SignedIn, problems: &mut Vec<Problem>) -> Outcome {
    for job in jobs {
        if let Err(error) = job.delivery.check().await {
            let failure = Failure::from(error).or_hint("Relative paths begin at the current folder.");
            problems.push(Problem { at: job.rows[0].clone(), failure });
        }
    }
    let people = people(jobs);
    let emails: Vec<EmailAddress> = people.iter().map(|(email, _)| (*email).clone()).collect();
    for ((_, row), result) in people.iter().zip(session.check_recipients(&emails).await?) {
        if let Err(error) = result {
            problems.push(Problem { at: (*row).clone(), failure: error.into() });
        }
    }
    problems.sort_by_key(|problem| problem.at.row);
    Ok(())
}

/// Everybody whom the list names, and the first row that does.
fn people(jobs: &[Job]) -> Vec<(&EmailAddress, &RowText)> {
    let named = jobs.iter().flat_map(|job| job.delivery.recipients.iter().zip(&job.rows));
    let mut people: HashMap<&EmailAddress, &RowText> = HashMap::new();
    for ((email, _), row) in named {
        let first = people.entry(email).or_insert(row);
        if row.row < first.row {
            *first = row;
        }
    }
    people.into_iter().collect()
}

impl Job {
    fn new(row: Row) -> Self {
        let recipients = vec![(row.email, row.terms)];
        Self { delivery: Delivery { path: row.path, note: row.note, recipients }, rows: vec![row.text] }
    }

    fn add(&mut self, row: Row) {
        self.delivery.recipients.push((row.email, row.terms));
        self.rows.push(row.text);
    }

    /// Why a further row does not go together with those before.
    fn conflict(&self, row: &Row) -> Option<Failure> {
        let same = self.delivery.recipients.iter().position(|(email, _)| *email == row.email);
        if let Some(first) = same.and_then(|index| self.rows.get(index)) {
            let message = format!("it names the same file and the same person as line {}", first.line);
            return Some(wrong(message).hint("Keep one of the two."));
        }
        if self.delivery.note != row.note {
            let message = format!("its note is not that of line {} for the same file", self.rows[0].line);
            return Some(wrong(message).hint(
                "A file has one note, which all its recipients see. Write the same on each line, or use a copy of the file.",
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::deliver::list;

    fn plan(text: &str) -> (Vec<Job>, Vec<Problem>) {
        let (rows, mut problems) = list::parse(text.as_bytes()).unwrap();
        (jobs(rows, &mut problems), problems)
    }

    #[test]
    fn each_path_is_one_delivery_however_it_is_spelled() {
        let (jobs, problems) = plan("path,email\na,x@y\nb,x@y\n./a,z@y\n");
        assert!(problems.is_empty());
        assert_eq!(jobs.len(), 2);
        let rows: Vec<_> = jobs[0].rows.iter().map(|row| row.row).collect();
        assert_eq!((jobs[0].delivery.recipients.len(), rows), (2, vec![1, 3]));
        assert_eq!(people(&jobs).len(), 2);
    }

    #[test]
    fn a_row_that_stands_twice_and_a_second_note_are_problems() {
        let (_, problems) = plan("path,email,note\na,x@y,n\nb,x@y,\na,X@y,n\na,z@y,\n");
        let told: Vec<_> =
            problems.iter().map(|problem| (problem.at.line, problem.failure.message.clone())).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].0 == 4 && told[0].1.contains("same person as line 2"), "{told:?}");
        assert!(told[1].0 == 5 && told[1].1.contains("note"), "{told:?}");
    }
}
