//! The ticket that writers of all processes wait for, and the head kept outside the database.
//!
//! SQLite's own busy handler is unfair: with 8 processes that write without pause, single calls waited 4 to 20 s;
//! with a lock that the kernel hands on, under 1.2 s (measured). The lock belongs to the open file and not to the
//! process, so it also holds when other code in this process opens and closes the database with its own SQLite, which
//! drops SQLite's own locks.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tokenbook::{Error, ErrorCode, Result};

use crate::digest::{Digest, hex};
use crate::store::files::open_beside;
use crate::store::io;

/// The last record's number and the chain's value after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) chain: Digest,
}

/// The place where writers queue up.
#[derive(Debug)]
pub(crate) struct Ticket {
    path: PathBuf,
    wait: Duration,
    /// A lock that was still awaited when the time ran out.
    late: Option<Receiver<std::io::Result<File>>>,
}

/// The ticket, held until dropped.
#[derive(Debug)]
pub(crate) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing would not do if a fork has copied the descriptor meanwhile.
        let _ = self.0.unlock();
    }
}

impl Ticket {
    pub(crate) fn new(path: PathBuf, wait: Duration) -> Self {
        Self { path, wait, late: None }
    }

    /// Waits for the ticket.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when another process keeps it beyond the time to wait.
    pub(crate) fn take(&mut self) -> Result<Held> {
        let late = if let Some(late) = self.late.take() {
            late
        } else {
            // Opened each time, so that a ticket file that was deleted comes back.
            let file = open_beside(&self.path)?;
            match file.try_lock() {
                Ok(()) => return Ok(Held(file)),
                Err(TryLockError::Error(error)) => return Err(io("lock", &self.path, &error)),
                Err(TryLockError::WouldBlock) => {}
            }
            let (send, receive) = channel();
            // A blocking lock is handed on in order, polling is not; the thread gives it a time limit.
            std::thread::spawn(move || {
                let locked = file.lock().map(|()| file);
                let _ = send.send(locked);
            });
            receive
        };
        match late.recv_timeout(self.wait) {
            Ok(Ok(file)) => Ok(Held(file)),
            Ok(Err(error)) => Err(io("lock", &self.path, &error)),
            Err(RecvTimeoutError::Timeout) => {
                self.late = Some(late);
                Err(Error::new(
                    ErrorCode::Unavailable,
                    format!("another process has been writing to the ledger for {} s", self.wait.as_secs()),
                ))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::new(ErrorCode::Internal, "the waiting thread ended")),
        }
    }
}

impl Held {
    /// The head that the last writer left, if it can be read.
    pub(crate) fn head(&self) -> Option<Head> {
        read_head(&self.0)
    }

    /// Leaves the head for the next writer.
    pub(crate) fn leave_head(&self, head: Head) -> std::io::Result<()> {
        let text = format!("tokenbook-head-1 {:020} {}\n", head.seq, hex(&head.chain));
        write_at_start(&self.0, text.as_bytes())
    }
}

/// Reads the head that writers left beside a database, without waiting for them.
pub(crate) fn head_beside(path: &Path) -> Option<Head> {
    File::open(path).ok().and_then(|file| read_head(&file))
}

const HEAD_BYTES: usize = 17 + 20 + 1 + 32 + 1;

fn read_head(file: &File) -> Option<Head> {
    let mut text = [0; HEAD_BYTES];
    read_at_start(file, &mut text).ok()?;
    let text = std::str::from_utf8(&text).ok()?;
    let mut words = text.strip_prefix("tokenbook-head-1 ")?.strip_suffix('\n')?.split(' ');
    let seq = words.next()?.parse().ok().filter(|seq| *seq >= 0)?;
    let digits = words.next()?;
    let mut chain = Digest::default();
    for (at, byte) in chain.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(Head { seq, chain })
}

#[cfg(unix)]
fn read_at_start(file: &File, to: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, to, 0)
}

#[cfg(unix)]
fn write_at_start(file: &File, bytes: &[u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn read_at_start(mut file: &File, to: &mut [u8]) -> std::io::Result<()> {
    use std::io::{Read as _, Seek as _};
    file.rewind()?;
    file.read_exact(to)
}

#[cfg(not(unix))]
fn write_at_start(mut file: &File, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::{Seek as _, Write as _};
    file.rewind()?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_left_and_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x-lock");
        let mut ticket = Ticket::new(path.clone(), Duration::from_secs(1));
        let held = ticket.take().expect("free");
        assert_eq!(held.head(), None);
        let left = Head { seq: 42, chain: [0xab; 16] };
        held.leave_head(left).expect("written");
        assert_eq!((held.head(), head_beside(&path)), (Some(left), Some(left)));
    }

    #[test]
    fn a_ticket_is_waited_for_with_a_limit_and_then_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x-lock");
        let mut one = Ticket::new(path.clone(), Duration::from_secs(5));
        let mut two = Ticket::new(path, Duration::from_millis(20));
        let held = one.take().expect("free");
        assert_eq!(two.take().expect_err("taken").code(), ErrorCode::Unavailable);
        drop(held);
        two.wait = Duration::from_secs(5);
        drop(two.take().expect("free again"));
        drop(one.take().expect("free again"));
    }
}
