//! A group commit and nothing else: what sleeping, waking and waiting for the disk cost by themselves, without a database.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock};

use crate::calls::Result;

/// Bytes that a call leaves on the disk, about as many as a record has.
const CALL: [u8; 160] = [7; 160];

/// Bytes after which the file is written over from its start, as a log is: a file that grows costs more.
const LOG: u64 = 1 << 24;

/// Calls that are written together; everybody who waits for them waits here.
type Group = Arc<OnceLock<()>>;

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    open: Group,
    closing: bool,
}

/// Where callers meet the one thread that writes.
#[derive(Default)]
pub struct GroupCommit {
    state: Mutex<State>,
    work: Condvar,
    /// How many calls wake the writer: all that can be on their way.
    target: usize,
}

impl GroupCommit {
    pub fn new(target: usize) -> Self {
        Self { target, ..Self::default() }
    }

    /// Puts a call into the open group; it is on the disk once that is done.
    pub fn submit(&self) -> Group {
        let mut state = self.state.lock().expect("nobody panics");
        state.bytes.extend_from_slice(&CALL);
        let (group, wake) = (Arc::clone(&state.open), state.bytes.len() == self.target * CALL.len());
        drop(state);
        if wake {
            self.work.notify_one();
        }
        group
    }

    pub fn close(&self) {
        self.state.lock().expect("nobody panics").closing = true;
        self.work.notify_one();
    }

    /// Writes each group with one write and one wait for the disk, until there are no more.
    pub fn write(&self, path: &Path) -> Result<()> {
        let file = File::create(path)?;
        let (mut bytes, mut at) = (Vec::new(), 0);
        loop {
            let mut state = self.state.lock().expect("nobody panics");
            while state.bytes.len() < self.target * CALL.len() && !state.closing {
                state = self.work.wait(state).expect("nobody panics");
            }
            if state.bytes.is_empty() {
                return Ok(());
            }
            std::mem::swap(&mut bytes, &mut state.bytes);
            let group = std::mem::take(&mut state.open);
            drop(state);
            file.write_all_at(&bytes, at)?;
            file.sync_data()?;
            at = (at + bytes.len() as u64) % LOG;
            bytes.clear();
            let _ = group.set(());
        }
    }
}
