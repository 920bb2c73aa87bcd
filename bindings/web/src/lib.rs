//! The WebAssembly behind `tokenbook/web`: converts, throws faults through its host, and decides nothing.
//!
//! Texts cross as a place and a length in the memory of the module. What a function gives is kept in a buffer of the module
//! until the next call; the function returns its length, and `answer` its place. No `wasm-bindgen`: its command line must
//! match the crate to the patch version, and eight functions don't need it.
#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "memory that JavaScript fills and reads")]
#![expect(clippy::missing_safety_doc, reason = "called by node/web/index.js only, which keeps the promises below")]

use std::cell::RefCell;

use tokenbook::text::{Vocabulary, use_source};
use tokenbook_wire as wire;

#[link(wasm_import_module = "tokenbook")]
unsafe extern "C" {
    /// Milliseconds since 1970.
    safe fn now() -> f64;
    /// The length of a vocabulary's file; throws when it has not come yet.
    safe fn vocabulary_length(number: u32) -> usize;
    /// Writes a vocabulary's file.
    fn vocabulary_read(number: u32, into: *mut u8);
    /// Throws a fault, given as JSON text.
    fn throw(text: *const u8, length: usize) -> !;
}

thread_local! {
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Must be called once, before anything else.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
    wire::use_clock(|| now() as i64);
    use_source(|vocabulary| {
        let number = match vocabulary {
            Vocabulary::R50k => 0,
            Vocabulary::Cl100k => 1,
            Vocabulary::O200k => 2,
            Vocabulary::Gemini => 9,
            // Those of other families are a package that this one knows nothing of.
            _ => return None,
        };
        let mut bytes = vec![0; vocabulary_length(number)];
        // SAFETY: as many bytes are there as the file has.
        unsafe { vocabulary_read(number, bytes.as_mut_ptr()) };
        Some(bytes)
    });
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let words = payload.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let message = format!("a bug in tokenbook, please report it: {words}");
        fail(&wire::Error::new(wire::ErrorCode::Internal, message));
    }));
}

/// Throws.
fn fail(error: &wire::Error) -> ! {
    let fault = wire::fault(error);
    // The host doesn't come back to free it.
    let fault = fault.leak();
    // SAFETY: the text is there.
    unsafe { throw(fault.as_ptr(), fault.len()) }
}

/// Keeps an answer for the host to read.
fn give(answer: wire::Result<String>) -> usize {
    match answer {
        Ok(text) => ANSWER.with_borrow_mut(|kept| {
            *kept = text.into_bytes();
            kept.len()
        }),
        Err(error) => fail(&error),
    }
}

/// Where the last answer is.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    ANSWER.with_borrow(|kept| kept.as_ptr())
}

/// Takes memory that the host fills; the function that it is handed to gives it back.
#[unsafe(no_mangle)]
pub extern "C" fn take(length: usize) -> *mut u8 {
    Box::into_raw(vec![0u8; length].into_boxed_slice()).cast()
}

/// The bytes that the host filled.
///
/// # Safety
///
/// They came from [`take`] with this length, and are handed over once.
unsafe fn bytes(at: *mut u8, length: usize) -> Vec<u8> {
    // SAFETY: promised by the caller.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(at, length)) }.into_vec()
}

/// The text that the host filled.
///
/// # Safety
///
/// As [`bytes`].
unsafe fn text(at: *mut u8, length: usize) -> String {
    // SAFETY: promised by the caller.
    String::from_utf8(unsafe { bytes(at, length) }).expect("the host writes UTF-8")
}

/// Runs an operation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn call(op: *mut u8, op_length: usize, args: *mut u8, args_length: usize) -> usize {
    // SAFETY: the host keeps to it.
    let (op, args) = unsafe { (text(op, op_length), text(args, args_length)) };
    give(wire::call(&op, &args))
}

/// Counts the tokens of a text.
#[unsafe(no_mangle)]
#[expect(clippy::cast_precision_loss, reason = "counts are at most 2⁵³ − 1")]
pub unsafe extern "C" fn count(of: *mut u8, length: usize, encoding: *mut u8, encoding_length: usize) -> f64 {
    // SAFETY: the host keeps to it.
    let (of, encoding) = unsafe { (text(of, length), text(encoding, encoding_length)) };
    wire::count(&of, &encoding).unwrap_or_else(|error| fail(&error)) as f64
}

/// Counts the tokens of a text, or gives −1 as soon as there are more than `limit`.
#[unsafe(no_mangle)]
#[expect(clippy::cast_precision_loss, reason = "counts are at most 2⁵³ − 1")]
pub unsafe extern "C" fn count_up_to(
    of: *mut u8,
    length: usize,
    limit: f64,
    encoding: *mut u8,
    encoding_length: usize,
) -> f64 {
    // SAFETY: the host keeps to it.
    let (of, encoding) = unsafe { (text(of, length), text(encoding, encoding_length)) };
    let count = wire::count_up_to_number(&of, limit, &encoding).unwrap_or_else(|error| fail(&error));
    count.map_or(-1.0, |count| count as f64)
}

/// Starts reading a streamed response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stream_open(args: *mut u8, length: usize) -> *mut wire::UsageStream {
    // SAFETY: the host keeps to it.
    let args = unsafe { text(args, length) };
    match wire::UsageStream::open(&args) {
        Ok(stream) => Box::into_raw(Box::new(stream)),
        Err(error) => fail(&error),
    }
}

/// Takes the next bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stream_push(stream: *const wire::UsageStream, chunk: *mut u8, length: usize) {
    // SAFETY: the host keeps to it, and a stream lives until it is freed.
    let (stream, chunk) = unsafe { (&*stream, bytes(chunk, length)) };
    if let Err(error) = stream.push(&chunk) {
        fail(&error);
    }
}

/// Takes the next event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stream_push_event(stream: *const wire::UsageStream, event: *mut u8, length: usize) {
    // SAFETY: as above.
    let (stream, event) = unsafe { (&*stream, text(event, length)) };
    if let Err(error) = stream.push_event(&event) {
        fail(&error);
    }
}

/// Tells what is known so far.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stream_so_far(stream: *const wire::UsageStream) -> usize {
    // SAFETY: a stream lives until it is freed.
    give(unsafe { &*stream }.so_far())
}

/// Ends the stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stream_finish(stream: *const wire::UsageStream) -> usize {
    // SAFETY: as above.
    give(unsafe { &*stream }.finish())
}

/// Gives a stream's memory back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stream_free(stream: *mut wire::UsageStream) {
    // SAFETY: the host frees it once.
    drop(unsafe { Box::from_raw(stream) });
}
