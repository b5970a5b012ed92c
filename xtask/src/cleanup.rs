//! Cleaning up whatever happens.
//!
//! A process that is interrupted or killed can't clean up after itself. So a small shell waits at the other end
//! of a pipe: the pipe closes when this process ends, in whatever way, and then the shell does the work. There
//! is no second way: the orderly end closes the pipe too, and waits.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Reads lines `group PGID` and `stop PG_CTL DATA [USER]` until the pipe closes; then ends the groups, stops the
/// database, and removes the folder (`$1`).
const CLEANER: &str = r#"
trap '' HUP INT TERM
groups=''
pg_ctl=''
while read -r verb one two three; do
    case $verb in
        group) groups="$groups $one" ;;
        stop) pg_ctl=$one data=$two user=$three ;;
    esac
done
for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null && sleep 0.2 && kill -s KILL -- "-$group" 2>/dev/null; done
if [ -n "$pg_ctl" ]; then
    ${user:+runuser -u "$user" --} "$pg_ctl" stop -D "$data" -m immediate -w >/dev/null 2>&1
fi
cd / && rm -rf -- "$1"
"#;

/// The process that cleans up when this one is gone.
pub(crate) struct Cleanup {
    folder: PathBuf,
    shell: Child,
    pipe: ChildStdin,
}

impl Cleanup {
    /// Starts the cleaner; `folder` will be removed.
    pub(crate) fn start(folder: PathBuf) -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", CLEANER, "sh"])
            .arg(&folder)
            .current_dir("/")
            // Not ours: Ctrl-C in the terminal must not reach it.
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot run sh")?;
        let pipe = shell.stdin.take().context("sh has no standard input")?;
        Ok(Self { folder, shell, pipe })
    }

    /// The folder that will be removed.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The processes of this group will be ended.
    pub(crate) fn end_group_too(&mut self, group: u32) -> Result<()> {
        Ok(writeln!(self.pipe, "group {group}")?)
    }

    /// The database with this data folder will be stopped, as `user` if one is named.
    pub(crate) fn stop_postgres_too(&mut self, pg_ctl: &Path, data: &Path, user: Option<&str>) -> Result<()> {
        Ok(writeln!(self.pipe, "stop {} {} {}", pg_ctl.display(), data.display(), user.unwrap_or_default())?)
    }

    /// Cleans up now, and waits until it is done.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.pipe);
        self.shell.wait()?;
        ensure!(!self.folder.exists(), "{} could not be removed", self.folder.display());
        Ok(())
    }
}
