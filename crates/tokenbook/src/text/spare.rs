//! Caches of threads that have ended, for threads that start: a thread that lives for one batch begins with what others
//! have met before.

use std::hint::spin_loop;
use std::sync::{Mutex, MutexGuard};

use super::batch::cores;
use super::cache::Cache;
use super::vocab::VOCABS;

/// One list for each vocabulary.
type Spare = [Vec<Box<Cache>>; VOCABS];

static SPARE: Mutex<Spare> = Mutex::new([const { Vec::new() }; VOCABS]);

/// A cache for a vocabulary, if one is spare.
pub(super) fn take(vocab: usize) -> Option<Box<Cache>> {
    spare()?[vocab].pop()
}

/// Keeps a cache; as many as there are cores, so that memory stays bounded.
pub(super) fn give(vocab: usize, cache: Box<Cache>) {
    let Some(mut spare) = spare() else { return };
    if spare[vocab].len() < cores() {
        spare[vocab].push(cache);
    }
}

/// The lists, unless they can't be had at once: a process that was forked while another thread held them never will, and
/// does without.
fn spare() -> Option<MutexGuard<'static, Spare>> {
    for _ in 0..1000 {
        if let Ok(spare) = SPARE.try_lock() {
            return Some(spare);
        }
        spin_loop();
    }
    None
}
