//! Alerts as lines of a file.

use std::io::Write as _;
use std::path::Path;

use tokenbook::{Error, ErrorCode, Result};

use crate::alert::AlertNotice;
use crate::store::files::private;
use crate::store::io;

/// Writes notices to the end of a file, one JSON object a line; the file is made where there is none, for its owner only.
///
/// # Errors
///
/// [`ErrorCode::Unavailable`] when it can't be written.
pub fn append_notices(path: &Path, notices: &[AlertNotice]) -> Result<()> {
    let mut lines = String::new();
    for notice in notices {
        let line = serde_json::to_string(notice).map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))?;
        lines.push_str(&line);
        lines.push('\n');
    }
    let opened = private().append(true).create(true).open(path);
    // In one piece, so that lines of several processes don't mix.
    opened.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(|error| io("write", path, &error))
}
