//! `deliver`: a whole list of files and people, safe to run again.

mod list;
mod plan;

use std::{
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    path::Path,
};

use sealpost_client::{Before, Delivered, DeliveryOutcome, DeliveryStatus, Error, SignedIn, Terms};

use self::{
    list::{MAX_LIST_BYTES, Problem, RowText},
    plan::Job,
};
use crate::{
    args::DeliverArgs,
    commands::items::Items,
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    output::{DeliveredRow, DeliverySummary, count},
    printer::Format,
    progress::Meter,
    prompt::blocking,
    time,
};

pub async fn run(args: DeliverArgs, context: &Context) -> Outcome {
    let (rows, mut problems) = list::parse(&read(&args.list, context).await?)?;
    let jobs = plan::jobs(rows, &mut problems);
    let session = context.signed_in().await?;
    plan::check(&jobs, &session, &mut problems).await?;
    if !problems.is_empty() {
        return Err(refuse(problems, context)?);
    }
    let mut run = Run { context, session, dry_run: args.dry_run, summary: DeliverySummary::default() };
    let rows = jobs.iter().map(|job| job.rows.len()).sum();
    let mut items = Items::new(rows);
    let told = if args.dry_run {
        run.foresee(&jobs, &mut items).await?
    } else {
        run.deliver(&jobs, &mut items).await?
    };
    jobs[told..].iter().try_for_each(|job| run.skip(job))?;
    context.printer.note(&run.summary.human());
    items.finish(&context.printer)
}

/// The list's text.
async fn read(path: &Path, context: &Context) -> Outcome<Vec<u8>> {
    let path = path.to_owned();
    let text = if path.as_os_str() != "-" {
        blocking(move || File::open(&path).and_then(bounded).map_err(|error| unreadable(&path, &error)))
            .await?
    } else if context.prompter.reads_stdin() {
        return Err(Failure::usage("standard input can't hold both the password and the list")
            .hint("Use --password-file FILE."));
    } else {
        let stdin = Path::new("standard input");
        blocking(|| bounded(io::stdin().lock()).map_err(|error| unreadable(stdin, &error))).await?
    };
    if text.len() as u64 > MAX_LIST_BYTES {
        return Err(list::unusable("it is larger than 16 MiB"));
    }
    Ok(text)
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source.take(MAX_LIST_BYTES + 1).read_to_end(&mut text).map(|_| text)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::local("read", path, error)
}

/// Tells every problem; the failure sums them up.
fn refuse(problems: Vec<Problem>, context: &Context) -> Outcome<Failure> {
    let all_local = problems.iter().all(|problem| problem.failure.exit == Exit::LocalFile);
    let exit = if all_local { Exit::LocalFile } else { Exit::Usage };
    let message = format!("{} in the list; nothing was sent", count(problems.len() as u64, "problem"));
    let mut told = None;
    for Problem { at, mut failure } in problems {
        if context.printer.format() == Format::Json {
            context.printer.show(&DeliveredRow::failed(&at, None, &failure))?;
            continue;
        }
        // The same hint once after another is enough.
        if told == failure.hint {
            failure.hint = None;
        } else {
            told.clone_from(&failure.hint);
        }
        context.printer.failure(&failure.about(&format!("line {}", at.line)));
    }
    Ok(Failure::new(exit, "list_problems", message).hint("Mend the list, then run the command again."))
}

/// One run over a list.
struct Run<'a> {
    context: &'a Context,
    session: SignedIn,
    dry_run: bool,
    summary: DeliverySummary,
}

impl Run<'_> {
    /// Does every file; how many were told of.
    async fn deliver(&mut self, jobs: &[Job], items: &mut Items) -> Outcome<usize> {
        let deliveries: Vec<_> = jobs.iter().map(|job| job.delivery.clone()).collect();
        let label = match jobs {
            [only] => only.delivery.path.display().to_string(),
            several => count(several.len() as u64, "file"),
        };
        let meter = Meter::new(&self.context.printer, &label);
        let session = self.session.clone();
        let (mut told, mut printed) = (0, Ok(()));
        let mut done = |at: usize, outcome: Result<Delivered, Error>| {
            told = at + 1;
            match self.tell(&jobs[at], outcome, items) {
                Ok(flow) => flow,
                Err(failure) => {
                    printed = Err(failure);
                    ControlFlow::Break(())
                }
            }
        };
        session.deliver_many(&deliveries, &meter.callback(), &mut done).await?;
        printed.map(|()| told)
    }

    /// What [`Run::deliver`] would do.
    async fn foresee(&mut self, jobs: &[Job], items: &mut Items) -> Outcome<usize> {
        for (at, job) in jobs.iter().enumerate() {
            let outcome = self.session.foresee(&job.delivery).await;
            if self.tell(job, outcome, items)?.is_break() {
                return Ok(at + 1);
            }
        }
        Ok(jobs.len())
    }

    /// Tells what became of one file. Its failure and its recipients' failures are kept for the end and do not stop the
    /// others; one that would be everybody's breaks the run off.
    fn tell(
        &mut self,
        job: &Job,
        outcome: Result<Delivered, Error>,
        items: &mut Items,
    ) -> Outcome<ControlFlow<()>> {
        let failure = match outcome {
            Ok(delivered) => return self.show(job, delivered, items).map(ControlFlow::Continue),
            Err(error) => Failure::from(error),
        };
        for row in &job.rows {
            self.summary.failed += 1;
            self.context.printer.show(&DeliveredRow::failed(row, None, &failure))?;
        }
        let is_everybodys = concerns_all(&failure);
        items.fail(&job.delivery.path.display().to_string(), failure);
        Ok(if is_everybodys { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn show(&mut self, job: &Job, delivered: Delivered, items: &mut Items) -> Outcome {
        let Delivered { file_id, before, recipients } = delivered;
        self.tell_changed(job, before, file_id.is_some());
        if !matches!(before, Before::Same(_)) {
            self.summary.new_files += 1;
        }
        let recipients = recipients.into_iter().zip(&job.delivery.recipients);
        for (row, (DeliveryOutcome { email, result }, (_, terms))) in job.rows.iter().zip(recipients) {
            let file_id = file_id.map(|file_id| file_id.to_string());
            let shown = match result {
                Ok(status) => self.delivered(row, file_id, status, *terms, before),
                Err(error) => {
                    let failure = Failure::from(error);
                    let shown = DeliveredRow::failed(row, file_id, &failure);
                    items.fail(&format!("line {}", row.line), failure.about(email.as_str()));
                    self.summary.failed += 1;
                    shown
                }
            };
            self.context.printer.show(&shown)?;
        }
        Ok(())
    }

    fn delivered(
        &mut self,
        row: &RowText,
        file_id: Option<String>,
        status: DeliveryStatus,
        terms: Terms,
        before: Before,
    ) -> DeliveredRow {
        let new_file = !matches!(before, Before::Same(_));
        let shown = |status: &str, expires_at: Option<u64>, limit| DeliveredRow {
            file_id: file_id.clone(),
            status: status.to_owned(),
            new_file,
            expires_at: expires_at.map(time::rfc3339),
            download_limit: limit,
            ..DeliveredRow::of(row)
        };
        match status {
            DeliveryStatus::Already(share) => {
                self.summary.already += 1;
                shown("already", share.expires_at, share.limit)
            }
            DeliveryStatus::Queued => {
                self.summary.queued += 1;
                let status = if self.dry_run { "would_queue" } else { "queued" };
                shown(status, terms.expires_at, terms.downloads)
            }
            DeliveryStatus::Shared => {
                self.summary.shared += 1;
                let status = if self.dry_run { "would_share" } else { "shared" };
                shown(status, terms.expires_at, terms.downloads)
            }
        }
    }

    fn tell_changed(&self, job: &Job, before: Before, done: bool) {
        if let Before::Other(earlier) = before {
            let path = crate::text::safe(&job.delivery.path.display().to_string());
            let what = if done { "was delivered as a new file" } else { "would be a new file" };
            self.context.printer.note(&format!(
                "{path} is not what was uploaded from there before as {earlier} (content or note): it {what}."
            ));
        }
    }

    /// A file that was not tried.
    fn skip(&mut self, job: &Job) -> Outcome {
        self.summary.skipped += job.rows.len() as u64;
        job.rows.iter().try_for_each(|row| {
            self.context.printer.show(&DeliveredRow { status: "skipped".to_owned(), ..DeliveredRow::of(row) })
        })
    }
}

/// A failure that would only be repeated for every file: no session, no server, no trust in it.
fn concerns_all(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Authentication | Exit::Forbidden | Exit::Network | Exit::Verification)
}

impl DeliveredRow {
    fn of(row: &RowText) -> Self {
        Self {
            row: row.row,
            line: row.line,
            path: row.path.clone(),
            email: row.email.clone(),
            file_id: None,
            status: String::new(),
            new_file: false,
            expires_at: None,
            download_limit: None,
            error: None,
        }
    }

    fn failed(row: &RowText, file_id: Option<String>, failure: &Failure) -> Self {
        Self { file_id, status: "error".to_owned(), error: Some(failure.into()), ..Self::of(row) }
    }
}
