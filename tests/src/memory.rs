//! The memory of another process, as a debugger, a core dump or a page file shows it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
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

/// Reads all that `process` can write. It should be idle meanwhile.
pub fn of(process: u32) -> Memory {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Needle, find};

    #[test]
    fn heap_and_stack_are_told_apart_in_every_thread() {
        let (on_heap, on_stack) = (rand::random::<[u8; 32]>(), rand::random::<[u8; 32]>());
        let needles = [Needle::new("heap", &on_heap), Needle::new("stack", &on_stack)];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let boxed = Box::new(on_heap);
                let here = on_stack;
                let memory = of(std::process::id());
                let seen = |places: &[Place], what: &str| {
                    find(places, &needles).iter().any(|line| line.starts_with(what))
                };
                assert!(seen(&memory.heap, "heap") && seen(&memory.stacks, "stack"));
                std::hint::black_box((&boxed, &here));
            });
        });
    }
}
