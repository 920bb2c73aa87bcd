//! Python values as `MessagePack`, for arguments with long texts: nothing is escaped, which takes a fifth of the time of
//! JSON. Only values of Python's own types are packed; all else is left to JSON, which has the words for it.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use rmp::encode;

/// Deeper values are left to JSON.
const MOST_LEVELS: usize = 64;

/// Appends a value; `None` if JSON has to do it.
pub(crate) fn pack(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Option<()> {
    pack_at(value, MOST_LEVELS, out)
}

fn pack_at(value: &Bound<'_, PyAny>, levels: usize, out: &mut Vec<u8>) -> Option<()> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        // Lone surrogates have no UTF-8.
        encode::write_str(out, text.to_str().ok()?).ok()
    } else if let Ok(fields) = value.cast_exact::<PyDict>() {
        encode::write_map_len(out, length(fields.len())?).ok()?;
        for (name, field) in fields.iter() {
            encode::write_str(out, name.cast_exact::<PyString>().ok()?.to_str().ok()?).ok()?;
            pack_at(&field, levels.checked_sub(1)?, out)?;
        }
        Some(())
    } else if let Ok(items) = value.cast_exact::<PyList>() {
        pack_items(items.iter(), levels, out)
    } else if let Ok(items) = value.cast_exact::<PyTuple>() {
        pack_items(items.iter(), levels, out)
    } else if value.is_none() {
        encode::write_nil(out).ok()
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        encode::write_bool(out, truth.is_true()).ok()
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        encode::write_sint(out, number.extract().ok()?).ok().map(drop)
    } else {
        let number = value.cast_exact::<PyFloat>().ok()?.value();
        if number.is_finite() { encode::write_f64(out, number).ok() } else { None }
    }
}

fn pack_items<'py>(
    items: impl ExactSizeIterator<Item = Bound<'py, PyAny>>,
    levels: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    encode::write_array_len(out, length(items.len())?).ok()?;
    for item in items {
        pack_at(&item, levels.checked_sub(1)?, out)?;
    }
    Some(())
}

fn length(items: usize) -> Option<u32> {
    u32::try_from(items).ok()
}
