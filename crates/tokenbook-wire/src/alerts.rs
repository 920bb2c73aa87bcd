//! Tells alerts: judged when due beside the calls, told on a thread of their own, so that no call ever waits.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Deserialize;
use tokenbook::{Error, Result};
use tokenbook_ledger::{AlertChange, AlertNotice, Ledger, append_notices};

use crate::clock::{self, Stopwatch};

/// How often alerts are judged while the ledger is used.
const EVERY_MS: u64 = 60_000;
/// How long to wait before each further try of a webhook.
const BACKOFF: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];
/// Most notices that wait to be told; more are left out, and stay in the ledger.
const MAX_WAITING: usize = 1_000;
/// Most sinks of one handle.
const MAX_SINKS: usize = 20;

/// To whom alerts are told. It is kept in this process only, since an address may be a secret.
#[derive(Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Sink {
    /// A line on standard error.
    Log,
    /// A line of JSON at the end of a file.
    File { path: PathBuf },
    /// A request to an address.
    Webhook(Webhook),
}

/// Where to send alerts, and how.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "webhook"), expect(dead_code, reason = "refused in a build without webhooks"))]
pub(crate) struct Webhook {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) form: Form,
    /// Signs the body, so that whoever receives it knows where it is from.
    pub(crate) secret: Option<String>,
}

/// The form of a webhook's body.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// The notice as JSON.
    #[default]
    Json,
    /// A text that Slack, and what understands its form, shows.
    Slack,
}

/// What the thread is asked to do.
enum Work {
    Check(Ledger),
    Tell(Vec<AlertNotice>),
}

/// Alerts of one handle.
pub(crate) struct Alerts {
    sinks: Arc<Mutex<Vec<Sink>>>,
    worker: Mutex<Option<Worker>>,
    since: Stopwatch,
    /// When they were judged last, after `since`.
    judged_ms: AtomicU64,
}

struct Worker {
    process: u32,
    work: Sender<Work>,
    waiting: Arc<AtomicU64>,
    stop: Sender<()>,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            sinks: Arc::default(),
            worker: Mutex::default(),
            since: Stopwatch::started(0),
            judged_ms: AtomicU64::new(0),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alerts {
    /// Sets to whom alerts are told.
    pub(crate) fn set_sinks(&self, sinks: Vec<Sink>) -> Result<()> {
        if sinks.len() > MAX_SINKS {
            return Err(Error::invalid(format!("sinks: expected at most {MAX_SINKS} entries, got {}", sinks.len())));
        }
        for (at, sink) in sinks.iter().enumerate() {
            if let Sink::Webhook(webhook) = sink {
                if cfg!(not(feature = "webhook")) {
                    return Err(Error::invalid(format!("sinks[{at}]: this build has no webhooks")));
                }
                if !webhook.url.starts_with("https://") && !webhook.url.starts_with("http://") {
                    return Err(Error::invalid(format!(
                        "sinks[{at}].url: expected an address with https:// or http://"
                    )));
                }
            }
        }
        *lock(&self.sinks) = sinks;
        Ok(())
    }

    /// Judges alerts, on their own thread, if that was long enough ago.
    pub(crate) fn due(&self, ledger: &Ledger) {
        let now = self.since.ms();
        let last = self.judged_ms.load(Ordering::Relaxed);
        if now < last + EVERY_MS
            || self.judged_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.send(Work::Check(ledger.clone()));
    }

    /// Tells notices, on their own thread.
    pub(crate) fn tell(&self, notices: &[AlertNotice]) {
        if !notices.is_empty() && !lock(&self.sinks).is_empty() {
            self.send(Work::Tell(notices.to_vec()));
        }
    }

    fn send(&self, work: Work) {
        let mut worker = lock(&self.worker);
        // Threads don't come along into a fork.
        if worker.as_ref().is_none_or(|worker| worker.process != std::process::id()) {
            if let Some(lost) = worker.take() {
                std::mem::forget(lost);
            }
            *worker = Worker::start(Arc::clone(&self.sinks));
        }
        if let Some(worker) = &*worker
            && worker.waiting.load(Ordering::Relaxed) < MAX_WAITING as u64
        {
            worker.waiting.fetch_add(1, Ordering::Relaxed);
            let _ = worker.work.send(work);
        }
    }

    /// Tells what waits to be told, once each, and ends.
    pub(crate) fn close(&self) {
        let Some(worker) = lock(&self.worker).take() else { return };
        if worker.process != std::process::id() {
            std::mem::forget(worker);
            return;
        }
        worker.stopped.store(true, Ordering::Relaxed);
        let Worker { work, stop, thread, .. } = worker;
        drop((work, stop));
        let _ = thread.join();
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        self.close();
    }
}

impl Worker {
    fn start(sinks: Arc<Mutex<Vec<Sink>>>) -> Option<Self> {
        let (work, jobs) = channel();
        let (stop, stopping) = channel();
        let (waiting, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (left, ends) = (Arc::clone(&waiting), Arc::clone(&stopped));
        let run = move || {
            for job in jobs {
                // What goes wrong here is no concern of the calls, and the next check finds it noted.
                let _ = crate::guard(|| {
                    let notices = match job {
                        Work::Tell(notices) => notices,
                        Work::Check(_) if ends.load(Ordering::Relaxed) => Vec::new(),
                        Work::Check(ledger) => ledger.alerts_check(clock::now()?)?,
                    };
                    let sinks = lock(&sinks).clone();
                    for notice in &notices {
                        for sink in &sinks {
                            tell(sink, notice, &stopping);
                        }
                    }
                    Ok(())
                });
                left.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let thread = std::thread::Builder::new().name("tokenbook-alerts".to_owned()).spawn(run).ok()?;
        Some(Self { process: std::process::id(), work, waiting, stop, stopped, thread })
    }
}

/// One line about a notice, for people.
fn sentence(notice: &AlertNotice) -> String {
    match notice.change {
        AlertChange::Started => format!("tokenbook alert: {}", notice.alert.message),
        AlertChange::Ended => format!("tokenbook alert is over: {}", notice.alert.message),
    }
}

fn tell(sink: &Sink, notice: &AlertNotice, stopping: &Receiver<()>) {
    match sink {
        Sink::Log => log(&sentence(notice)),
        Sink::File { path } => {
            if let Err(error) = append_notices(path, std::slice::from_ref(notice)) {
                log(&format!("tokenbook: an alert was not written: {error}"));
            }
        }
        Sink::Webhook(webhook) => {
            for wait in BACKOFF.iter().map(Some).chain([None]) {
                match send(webhook, notice) {
                    Sent::Done => return,
                    Sent::Refused(reason) => return log(&format!("tokenbook: an alert was not delivered: {reason}")),
                    Sent::Again(reason) => match wait {
                        // Whoever closes the ledger does not wait for further tries.
                        Some(wait) if stopping.recv_timeout(*wait) == Err(RecvTimeoutError::Timeout) => {}
                        _ => return log(&format!("tokenbook: an alert was not delivered: {reason}")),
                    },
                }
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "the log that the caller has asked for")]
fn log(line: &str) {
    eprintln!("{line}");
}

/// What became of a request.
enum Sent {
    Done,
    /// It makes no sense to try again.
    #[cfg_attr(not(feature = "webhook"), expect(dead_code, reason = "nothing is sent"))]
    Refused(String),
    #[cfg_attr(not(feature = "webhook"), expect(dead_code, reason = "nothing is sent"))]
    Again(String),
}

#[cfg(not(feature = "webhook"))]
fn send(_: &Webhook, _: &AlertNotice) -> Sent {
    Sent::Done
}

/// Sends a notice: with a time limit, without following redirects, and without the address in what is said of failures.
#[cfg(feature = "webhook")]
fn send(webhook: &Webhook, notice: &AlertNotice) -> Sent {
    const LIMIT: Duration = Duration::from_secs(5);
    let body = match webhook.form {
        Form::Json => serde_json::to_string(notice),
        Form::Slack => serde_json::to_string(&serde_json::json!({ "text": sentence(notice) })),
    };
    let Ok(body) = body else { return Sent::Refused("it can't be written as JSON".to_owned()) };
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("tokenbook/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut request =
        ureq::Agent::new_with_config(config).post(&webhook.url).header("Content-Type", "application/json");
    if let Some(secret) = &webhook.secret {
        let at = clock::now().map_or(0, |now| now.ms().div_euclid(1_000));
        request = request
            .header("X-Tokenbook-Timestamp", at.to_string())
            .header("X-Tokenbook-Signature", format!("sha256={}", signature(secret, at, &body)));
    }
    match request.send(body) {
        Ok(answer) => match answer.status().as_u16() {
            200..=299 => Sent::Done,
            status @ (408 | 425 | 429 | 500..=599) => Sent::Again(format!("the webhook answered {status}")),
            status @ 300..=399 => Sent::Refused(format!("the webhook redirects ({status}), which is not followed")),
            status => Sent::Refused(format!("the webhook answered {status}")),
        },
        Err(ureq::Error::Timeout(_)) => Sent::Again(format!("the webhook took more than {} s", LIMIT.as_secs())),
        Err(ureq::Error::BadUri(_)) => Sent::Refused("the webhook's address can't be read".to_owned()),
        Err(_) => Sent::Again("the webhook can't be reached".to_owned()),
    }
}

/// HMAC-SHA256 of the timestamp, a full stop and the body, in hexadecimal digits.
#[cfg(feature = "webhook")]
fn signature(secret: &str, at: i64, body: &str) -> String {
    use std::fmt::Write as _;

    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(format!("{at}.{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(all(test, feature = "webhook"))]
mod tests {
    use super::*;

    /// Against `openssl dgst -sha256 -hmac`.
    #[test]
    fn the_signature_is_that_of_openssl() {
        assert_eq!(signature("key", 1, "{}"), SIGNED);
    }

    const SIGNED: &str = "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224";
}
