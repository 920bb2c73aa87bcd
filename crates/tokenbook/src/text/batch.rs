//! Counting many texts on several threads.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{Encoding, counted, split};
use crate::quantity::Count;

/// What is worth a thread, whose start takes as long as counting some tens of kilobytes.
const THREAD_BYTES: usize = 128 * 1024;

/// What a thread takes at a time: little, so that all of them end at nearly the same time.
const SHARE_BYTES: usize = 8 * 1024;

/// Shares that the caller counts before it wonders where the others are: longer than a thread takes to start.
const ALONE: usize = 6;

/// What a thread takes at a time.
enum Share<'a, T> {
    /// Texts, and the number of the first one.
    Texts(usize, &'a [T]),
    /// A part of a long text, and the text's number.
    Part(usize, &'a str),
}

/// Counts each text, on all cores when there is much to count.
pub(super) fn count<T: AsRef<str> + Sync>(encoding: Encoding, texts: &[T]) -> Vec<Count> {
    let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
    let threads = if bytes < 2 * THREAD_BYTES { 1 } else { cores().min(bytes / THREAD_BYTES) };
    if threads < 2 {
        return texts.iter().map(|text| encoding.count(text.as_ref())).collect();
    }
    count_with(encoding, texts, threads, SHARE_BYTES)
}

/// Counts each text on this many threads, which take shares of about so many bytes as they come to them.
pub(super) fn count_with<T: AsRef<str> + Sync>(
    encoding: Encoding,
    texts: &[T],
    threads: usize,
    share_bytes: usize,
) -> Vec<Count> {
    let shares = shares(texts, share_bytes);
    let next = AtomicUsize::new(0);
    let work = |started: &AtomicBool, is_caller: bool| {
        let mut done = Vec::new();
        while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
            if is_caller && done.len() == ALONE && !started.load(Ordering::Relaxed) {
                make_room();
            }
            done.push(match share {
                Share::Texts(first, texts) => {
                    (*first, texts.iter().map(|text| encoding.count(text.as_ref()).get()).collect())
                }
                Share::Part(number, part) => (*number, vec![encoding.count(part).get()]),
            });
        }
        done
    };
    let started = AtomicBool::new(false);
    let mut counts = vec![0; texts.len()];
    thread::scope(|scope| {
        let other = || {
            started.store(true, Ordering::Relaxed);
            work(&started, false)
        };
        // Where no thread can be started the others do its work.
        let others: Vec<_> =
            (1..threads).map_while(|_| thread::Builder::new().spawn_scoped(scope, other).ok()).collect();
        let own = work(&started, !others.is_empty());
        let all = others.into_iter().map(|other| other.join().expect("counting doesn't panic"));
        for (first, part) in all.chain([own]).flatten() {
            // Parts of one text add up.
            counts[first..].iter_mut().zip(part).for_each(|(count, tokens): (&mut u64, u64)| *count += tokens);
        }
    });
    counts.into_iter().map(counted).collect()
}

/// Cuts the texts into shares of at least so many bytes, long ones within the text.
fn shares<T: AsRef<str>>(texts: &[T], share_bytes: usize) -> Vec<Share<'_, T>> {
    let mut shares = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (number, text) in texts.iter().enumerate() {
        let mut rest = text.as_ref();
        if rest.len() < 2 * share_bytes {
            bytes += rest.len();
            if bytes >= share_bytes {
                shares.push(Share::Texts(first, &texts[first..=number]));
                (first, bytes) = (number + 1, 0);
            }
            continue;
        }
        shares.push(Share::Texts(first, &texts[first..number]));
        (first, bytes) = (number + 1, 0);
        while rest.len() >= 2 * share_bytes
            && let Some(cut) = split::certain_start(rest, share_bytes)
        {
            let (part, behind) = rest.split_at(cut);
            shares.push(Share::Part(number, part));
            rest = behind;
        }
        shares.push(Share::Part(number, rest));
    }
    shares.push(Share::Texts(first, &texts[first..]));
    shares
}

/// The number of threads that can run at once. Asking takes as long as counting a page, so the answer is kept; without a
/// lock, which a fork could leave held.
pub(super) fn cores() -> usize {
    static CORES: AtomicUsize = AtomicUsize::new(0);
    let mut cores = CORES.load(Ordering::Relaxed);
    if cores == 0 {
        cores = thread::available_parallelism().map_or(1, NonZero::get);
        CORES.store(cores, Ordering::Relaxed);
    }
    cores
}

/// Leaves this processor to the threads that wait for it, where there is another one.
///
/// A system with few processors likes to keep a new thread waiting on its parent's, for milliseconds, though another one
/// is idle: on virtual machines an idle processor counts as taken. Forbidding the caller this one for a moment moves it.
#[cfg(target_os = "linux")]
fn make_room() {
    use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    let mut others = allowed;
    others.unset(sched_getcpu());
    if others.count() > 0 && sched_setaffinity(None, &others).is_ok() {
        let _ = sched_setaffinity(None, &allowed);
    }
}

#[cfg(not(target_os = "linux"))]
fn make_room() {}
