//! Replays the corpus: every input that once taught something, through every target that has it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says so by panicking")]

use std::{fs, path::Path};

use sealpost_fuzz::TARGETS;

/// Most bytes of an input that is kept.
const MAX_INPUT: u64 = 16 * 1024;

#[test]
fn every_target_takes_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets");
    for (name, target) in TARGETS {
        assert!(
            programs.join(format!("{name}.rs")).exists(),
            "{name} has no program in libfuzzer/fuzz_targets"
        );
        // Nothing, and something, change nothing or little.
        target(&[]);
        target(&[0]);
        let mut inputs = 0;
        for input in fs::read_dir(corpus.join(name)).expect("every target has a corpus") {
            let input = input.unwrap();
            assert!(
                input.metadata().unwrap().len() <= MAX_INPUT,
                "{:?} is too long to be kept",
                input.path()
            );
            target(&fs::read(input.path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "the corpus of {name} is empty");
    }
    sealpost_fuzz::close_lab();
}

#[test]
fn no_corpus_lacks_its_target() {
    for folder in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "no target is called {name}");
    }
}
