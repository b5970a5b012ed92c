//! The memory of another process, as a debugger, a core dump or a page file shows it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    process::Command,
    thread,
    time::Duration,
};

use crate::search::Place;

/// How much of a region that begins behind a guard page is a thread's stack: what std and tokio give to each.
const STACK: u64 = 2 * 1024 * 1024;
/// A guard page is not larger than this; what is reserved for a heap to grow is.
const MAX_GUARD: u64 = 64 * 1024;

/// Memory that a process can write.
pub struct Memory {
    /// Heaps, and what else is not a stack.
    pub heap: Vec<Place>,
    /// Stacks of threads, also of those that have ended.
    pub stacks: Vec<Place>,
}

/// Reads all that `process` can write. It stands still meanwhile: a running one unmaps what has just been listed.
pub fn of(process: u32) -> Memory {
    let _stopped = Stopped::new(process);
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("a running process");
    let memory = File::open(format!("/proc/{process}/mem")).expect("a process of our own");
    let (mut heap, mut stacks, mut guard_end) = (Vec::new(), Vec::new(), None);
    for line in maps.lines() {
        let Region { start, end, writable, guard, name } = Region::parse(line);
        if writable {
            let stack_end = match guard_end {
                _ if name == "[stack]" => end,
                Some(guard_end) if guard_end == start && name.is_empty() => end.min(start + STACK),
                _ => start,
            };
            stacks.extend(read(&memory, start, stack_end, "a stack"));
            heap.extend(read(&memory, stack_end, end, name));
        }
        guard_end = guard.then_some(end);
    }
    Memory { heap, stacks }
}

fn read(memory: &File, start: u64, end: u64, name: &str) -> Option<Place> {
    let mut bytes = vec![0; usize::try_from(end - start).expect("64 bits")];
    memory.read_exact_at(&mut bytes, start).expect("readable memory");
    (start < end).then(|| Place { name: format!("{start:x} {name}"), bytes })
}

/// A process none of whose threads runs, until this is dropped.
struct Stopped(u32);

impl Stopped {
    fn new(process: u32) -> Self {
        signal(process, "STOP");
        let stopped = Self(process);
        while !stopped.all_threads() {
            thread::sleep(Duration::from_millis(1));
        }
        stopped
    }

    fn all_threads(&self) -> bool {
        let mut threads = fs::read_dir(format!("/proc/{}/task", self.0)).expect("a running process");
        threads.all(|thread| {
            let path = thread.expect("a thread").path().join("status");
            // One that has ended stands still, too, and has no memory to be found in.
            fs::read_to_string(path)
                .is_ok_and(|status| ["State:\tT", "State:\tZ"].iter().any(|state| status.contains(state)))
        })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.expect("kill").success(), "SIG{name} to {process}");
}

/// A line of `/proc/PID/maps`.
struct Region<'a> {
    start: u64,
    end: u64,
    writable: bool,
    guard: bool,
    name: &'a str,
}

impl<'a> Region<'a> {
    fn parse(line: &'a str) -> Self {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next().and_then(|range| range.split_once('-')).expect("a range");
        let number = |text| u64::from_str_radix(text, 16).expect("hex");
        let (start, end) = (number(start), number(end));
        let mode = fields.next().expect("a mode");
        let guard = mode.starts_with("---") && end - start <= MAX_GUARD;
        Self { start, end, writable: mode.starts_with("rw"), guard, name: fields.nth(3).unwrap_or_default() }
    }
}
