//! What the servers in this process log, at the most talkative level, so that tests can search it.

use std::{
    io::{self, Write},
    sync::{Mutex, Once, PoisonError},
};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static CAPTURE: Once = Once::new();

/// Begins to capture; once per process.
pub fn capture() {
    CAPTURE.call_once(|| {
        let filter = "trace,sqlx=info,h2=info,hyper=info,hyper_util=info,reqwest=info,rustls=info,mio=info";
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Sink::default).init();
    });
}

/// Everything logged until now, by all tests of this process.
pub fn captured() -> Vec<u8> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[derive(Default)]
struct Sink;

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
