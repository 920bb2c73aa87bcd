//! Writes decoded events in the forms that providers send, and cuts bytes at random.

use std::fmt::Write as _;

use serde_json::Value;
use tokenbook::Api;

/// A seeded source of cuts (splitmix64).
pub(crate) struct Cuts(u64);

impl Cuts {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    /// Cuts bytes: the first rounds into single bytes, the others at up to 40 random places.
    pub(crate) fn cut<'b>(&mut self, bytes: &'b [u8], round: usize) -> Vec<&'b [u8]> {
        if round < 3 {
            return bytes.chunks(1).collect();
        }
        let mut places: Vec<usize> = (0..=self.below(40)).map(|_| self.below(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }
}

/// The bytes of a stream in every form that its provider, or a proxy before it, sends; the first is the usual one.
pub(crate) fn encodings(api: Api, events: &[Value], cuts: &mut Cuts) -> Vec<Vec<u8>> {
    match api {
        Api::BedrockConverse => vec![converse(events)],
        Api::BedrockInvokeAnthropic => vec![invoke(events), server_sent(events, cuts, true)],
        Api::OllamaChat => vec![values(events, "", "\n", "\n"), values(events, "", "\r\n", "")],
        Api::CohereChat if events[0].get("event_type").is_some() => vec![values(events, "", "\n", "\n")],
        Api::GoogleGenerateContent => {
            vec![
                server_sent(events, cuts, false),
                values(events, "[", "\r\n,\r\n", "\n]"),
                server_sent(events, cuts, true),
            ]
        }
        _ => vec![server_sent(events, cuts, false), server_sent(events, cuts, true)],
    }
}

fn values(events: &[Value], before: &str, between: &str, after: &str) -> Vec<u8> {
    let events: Vec<String> = events.iter().map(|event| format!("{event:#}")).collect();
    format!("{before}{}{after}", events.join(between)).into_bytes()
}

/// Server-sent events, plain or in every odd form that the standard allows.
fn server_sent(events: &[Value], cuts: &mut Cuts, oddly: bool) -> Vec<u8> {
    let mut text = String::new();
    if oddly {
        text.push_str("\u{feff}: a comment\n\nretry: 3000\n");
    }
    for event in events {
        let odd = if oddly { cuts.below(5) } else { 0 };
        let end = if odd == 1 {
            "\r\n"
        } else if odd == 2 {
            "\r"
        } else {
            "\n"
        };
        if let Some(name) = event["type"].as_str() {
            write!(text, "event: {name}{end}").expect("a String");
        }
        if odd == 3 {
            for line in format!("{event:#}").lines() {
                writeln!(text, "data: {line}").expect("a String");
            }
        } else if odd == 4 {
            write!(text, ": OPENROUTER PROCESSING\n\nid: 1\ndata:{event}\n").expect("a String");
        } else {
            write!(text, "data: {event}{end}").expect("a String");
        }
        text.push_str(end);
    }
    text.push_str("data: [DONE]\n\n");
    text.into_bytes()
}

fn converse(events: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        let (name, payload) = event
            .as_object()
            .expect("an object")
            .iter()
            .find(|(name, _)| !name.starts_with("amazon-bedrock"))
            .expect("one key");
        bytes.extend(message(
            &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
            &payload.to_string(),
        ));
    }
    bytes
}

fn invoke(events: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        let payload = format!("{{\"bytes\":\"{}\",\"p\":\"abcdefgh\"}}", base64(event.to_string().as_bytes()));
        bytes.extend(message(&[(":event-type", "chunk"), (":message-type", "event")], &payload));
    }
    bytes
}

/// One message of an AWS event stream.
pub(crate) fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).expect("short"));
        head.extend(name.as_bytes());
        head.push(7);
        head.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
        head.extend(value.as_bytes());
    }
    let length = 16 + head.len() + payload.len();
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(length).expect("short").to_be_bytes());
    bytes.extend(u32::try_from(head.len()).expect("short").to_be_bytes());
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes.extend(head);
    bytes.extend(payload.as_bytes());
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes
}

/// CRC-32 by another implementation than the library's.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for letter in 0..4 {
            let padded = letter > group.len();
            text.push(if padded { '=' } else { LETTERS[bits >> (18 - 6 * letter) & 63].into() });
        }
    }
    text
}
