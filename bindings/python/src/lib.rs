//! The extension module `tokenbook._tokenbook`: converts, releases the interpreter, maps errors, and decides nothing.
#![expect(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]

mod packed;

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyDict, PyList, PyString};
use tokenbook_wire as wire;

/// Texts shorter than this are counted without releasing the interpreter, which would cost more than the counting.
const DETACH_FROM_BYTES: usize = 32 * 1024;

#[pymodule(name = "_tokenbook", gil_used = false)]
mod tokenbook_python {
    #[pymodule_export]
    use super::{Ledger, Meter, UsageStream, call, cost_batch, count, count_batch, count_request, count_up_to};
}

/// Counts the tokens of ``text`` exactly.
///
/// Text that looks like a special token is counted as ordinary text. The encoding is ``o200k_base`` unless a model or an
/// encoding is named.
///
/// Raises ``UnknownModelError`` where no public vocabulary is known for the model.
#[pyfunction]
#[pyo3(signature = (text, *, model=None, encoding=None))]
fn count(text: &Bound<'_, PyAny>, model: Option<&str>, encoding: Option<&str>) -> PyResult<u64> {
    let py = text.py();
    let given = string(text, || "text".to_owned())?;
    let mended;
    let text = if let Ok(text) = given.to_str() {
        text
    } else {
        mended = well_formed(given)?;
        &mended
    };
    let count = || wire::count(text, wire::encoding_or_model(encoding, model)?);
    let count = if text.len() < DETACH_FROM_BYTES { count() } else { py.detach(count) };
    count.map_err(|error| raise_own(py, &error))
}

/// Counts the tokens of many texts exactly, on all cores.
///
/// Raises ``UnknownModelError`` where no public vocabulary is known for the model.
#[pyfunction]
#[pyo3(signature = (texts, *, model=None, encoding=None))]
fn count_batch(texts: &Bound<'_, PyAny>, model: Option<&str>, encoding: Option<&str>) -> PyResult<Vec<u64>> {
    let py = texts.py();
    let texts = match texts.cast::<PyList>() {
        Ok(list) => list.clone(),
        Err(_) => py.get_type::<PyList>().call1((texts,))?.cast_into()?,
    };
    let texts = texts.iter().enumerate().map(|(at, text)| well_formed(string(&text, || format!("texts[{at}]"))?));
    let texts = texts.collect::<PyResult<Vec<_>>>()?;
    py.detach(|| wire::count_batch(&texts, wire::encoding_or_model(encoding, model)?))
        .map_err(|error| raise_own(py, &error))
}

/// Counts the tokens of a text, or gives `None` as soon as there are more than `limit`.
#[pyfunction]
fn count_up_to(py: Python<'_>, text: &Bound<'_, PyString>, limit: u64, encoding: &str) -> PyResult<Option<u64>> {
    let text = well_formed(text)?;
    py.detach(|| wire::count_up_to(&text, limit, encoding)).map_err(raise)
}

/// Runs an operation that needs no ledger: JSON text in, JSON text out.
#[pyfunction]
fn call(py: Python<'_>, op: &str, args: &Bound<'_, PyString>) -> PyResult<String> {
    let args = well_formed(args)?;
    py.detach(|| wire::call(op, &args)).map_err(raise)
}

/// Counts a request by arguments of plain values, or gives `None` where JSON has to be tried.
#[pyfunction]
fn count_request(args: &Bound<'_, PyDict>) -> Option<String> {
    let mut packed = Vec::with_capacity(1 << 14);
    packed::pack(args, &mut packed)?;
    args.py().detach(|| wire::count_request_packed(&packed))
}

/// Prices many calls: arguments as JSON text, and columns of numbers as 64 bits each, little-endian.
#[pyfunction]
fn cost_batch(py: Python<'_>, args: &Bound<'_, PyString>, columns: Vec<(String, PyBackedBytes)>) -> PyResult<String> {
    let args = well_formed(args)?;
    py.detach(|| {
        let columns: Vec<(String, &[u8])> = columns.iter().map(|(name, bytes)| (name.clone(), &bytes[..])).collect();
        wire::cost_batch(&args, &columns)
    })
    .map_err(raise)
}

/// An open ledger.
#[pyclass(frozen)]
struct Ledger(wire::Book);

#[pymethods]
impl Ledger {
    #[new]
    fn open(py: Python<'_>, args: &Bound<'_, PyString>) -> PyResult<Self> {
        let args = well_formed(args)?;
        py.detach(|| wire::Book::open(&args)).map(Self).map_err(raise)
    }

    /// Runs an operation on the ledger: JSON text in, JSON text out.
    fn call(&self, py: Python<'_>, op: &str, args: &Bound<'_, PyString>) -> PyResult<String> {
        let args = well_formed(args)?;
        py.detach(|| self.0.call(op, &args)).map_err(raise)
    }

    /// Ends a call when `record_ended` gets to it.
    #[pyo3(signature = (meter, args, body=None))]
    fn end(&self, meter: &Meter, args: &Bound<'_, PyString>, body: Option<&Bound<'_, PyString>>) -> PyResult<()> {
        let body = body.map(well_formed).transpose()?.map(|body| body.to_string());
        self.0.end(Arc::clone(&meter.0), well_formed(args)?.to_string(), body);
        Ok(())
    }

    /// Records the calls that have ended.
    fn record_ended(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.0.record_ended()).map_err(raise)
    }
}

/// A reader of one streamed response.
#[pyclass(frozen)]
struct UsageStream(wire::UsageStream);

#[pymethods]
impl UsageStream {
    #[new]
    fn open(args: &Bound<'_, PyString>) -> PyResult<Self> {
        wire::UsageStream::open(&well_formed(args)?).map(Self).map_err(raise)
    }

    /// Takes the next bytes as they came from the network, cut anywhere.
    fn push(&self, chunk: &[u8]) -> PyResult<()> {
        self.0.push(chunk).map_err(raise)
    }

    /// Takes the next event, already decoded, as JSON text.
    fn push_event(&self, event: &Bound<'_, PyString>) -> PyResult<()> {
        self.0.push_event(&well_formed(event)?).map_err(raise)
    }

    /// What is known so far.
    fn so_far(&self) -> PyResult<String> {
        self.0.so_far().map_err(raise)
    }

    /// Ends the stream and tells what it used.
    fn finish(&self) -> PyResult<String> {
        self.0.finish().map_err(raise)
    }
}

/// One call, from before it is sent until it is recorded.
#[pyclass(frozen)]
struct Meter(Arc<wire::Meter>);

#[pymethods]
impl Meter {
    #[new]
    #[pyo3(signature = (book, args, request=None))]
    fn open(
        py: Python<'_>,
        book: &Ledger,
        args: &Bound<'_, PyString>,
        request: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Self> {
        let args = well_formed(args)?;
        let request = request.map(well_formed).transpose()?.map(|request| request.to_string());
        py.detach(|| wire::Meter::open(&book.0, &args, request, 0)).map(|meter| Self(Arc::new(meter))).map_err(raise)
    }

    /// Whether any budget is for the call.
    fn has_budget(&self) -> PyResult<bool> {
        self.0.has_budget().map_err(raise)
    }

    /// Gives up a call that was not sent.
    fn void(&self, py: Python<'_>) {
        py.detach(|| self.0.void());
    }

    /// Takes the next bytes of the stream, cut anywhere.
    fn push(&self, chunk: &[u8]) -> PyResult<()> {
        self.0.push(chunk).map_err(raise)
    }

    /// Takes the next event of the stream, already decoded, as JSON text.
    fn push_event(&self, event: &Bound<'_, PyString>) -> PyResult<()> {
        self.0.push_event(&well_formed(event)?).map_err(raise)
    }

    /// What is known so far.
    fn progress(&self) -> PyResult<String> {
        self.0.progress().map_err(raise)
    }

    /// Puts the call's worst case aside in the budgets that it falls under.
    fn reserve(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.0.reserve()).map_err(raise)
    }

    /// Ends the call and records it.
    #[pyo3(signature = (args, body=None))]
    fn finish(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyString>,
        body: Option<&Bound<'_, PyString>>,
    ) -> PyResult<String> {
        let args = well_formed(args)?;
        let body = body.map(well_formed).transpose()?;
        py.detach(|| self.0.finish(&args, body.as_deref())).map_err(raise)
    }
}

/// Gives a text in UTF-8, without a copy where it has no lone surrogates; those become U+FFFD, as in tiktoken.
fn well_formed(text: &Bound<'_, PyString>) -> PyResult<PyBackedStr> {
    if let Ok(text) = PyBackedStr::try_from(text.clone()) {
        return Ok(text);
    }
    let utf16 = text.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
    let mended = utf16.call_method1("decode", ("utf-16-le", "replace"))?;
    PyBackedStr::try_from(mended.cast_into::<PyString>()?)
}

/// A value as the string that it has to be; the package has the words for what is none.
fn string<'a, 'py>(value: &'a Bound<'py, PyAny>, place: impl FnOnce() -> String) -> PyResult<&'a Bound<'py, PyString>> {
    match value.cast() {
        Ok(string) => Ok(string),
        Err(error) => {
            value.py().import("tokenbook._count")?.call_method1("_text", (value, place()))?;
            Err(error.into())
        }
    }
}

/// The error that the package raises for a fault, from functions that it hands on as they are.
fn raise_own(py: Python<'_>, error: &wire::Error) -> PyErr {
    let made = py.import("tokenbook.errors").and_then(|it| it.call_method1("from_fault", (wire::fault(error),)));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// `RuntimeError(fault)`, which the Python layer turns into its own class by the fault's code.
fn raise(error: wire::Error) -> PyErr {
    PyRuntimeError::new_err(wire::fault(&error))
}
