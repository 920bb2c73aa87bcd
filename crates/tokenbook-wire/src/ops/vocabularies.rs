//! Where the vocabularies of families other than OpenAI's are found.

#[cfg(not(target_family = "wasm"))]
use std::path::PathBuf;
#[cfg(not(target_family = "wasm"))]
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
#[cfg(not(target_family = "wasm"))]
use tokenbook::text::{Vocabulary, use_source};
use tokenbook::{Encoding, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VocabulariesArgs {
    folder: Option<String>,
}

/// The encodings that texts can be counted in.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Vocabularies {
    /// Those whose vocabulary is here.
    encodings: Vec<&'static str>,
    /// Those whose vocabulary is in the package `tokenbook-vocabularies`, and not here.
    missing: Vec<&'static str>,
}

#[cfg(not(target_family = "wasm"))]
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The folders that were named, the latest first.
#[cfg(not(target_family = "wasm"))]
fn folders() -> Vec<PathBuf> {
    FOLDERS.lock().map(|folders| folders.clone()).unwrap_or_default()
}

/// A vocabulary is read when a count first needs it, so that naming a folder costs nothing.
#[cfg(not(target_family = "wasm"))]
fn read(vocabulary: Vocabulary) -> Option<Vec<u8>> {
    folders().iter().find_map(|folder| std::fs::read(folder.join(vocabulary.file_name())).ok())
}

#[cfg(not(target_family = "wasm"))]
pub(super) fn vocabularies(args: VocabulariesArgs) -> Result<Vocabularies> {
    if let Some(folder) = args.folder.map(PathBuf::from) {
        if !folder.is_dir() {
            return Err(tokenbook::Error::invalid(format!("folder: {} is no folder", folder.display())));
        }
        use_source(read);
        if let Ok(mut folders) = FOLDERS.lock() {
            folders.retain(|known| *known != folder);
            folders.insert(0, folder);
        }
    }
    let is_here = |encoding: &Encoding| {
        let file = encoding.vocabulary().file_name();
        encoding.is_of_openai() || folders().iter().any(|folder| folder.join(file).is_file())
    };
    Ok(told(is_here))
}

#[cfg(target_family = "wasm")]
pub(super) fn vocabularies(args: VocabulariesArgs) -> Result<Vocabularies> {
    match args.folder {
        None => Ok(told(|encoding| encoding.is_of_openai())),
        Some(_) => Err(tokenbook::Error::invalid("folder: there are no folders here")),
    }
}

fn told(is_here: impl Fn(&Encoding) -> bool) -> Vocabularies {
    let (here, missing): (Vec<_>, Vec<_>) = Encoding::ALL.iter().partition(|encoding| is_here(encoding));
    let names = |encodings: Vec<&Encoding>| encodings.into_iter().map(|encoding| encoding.name()).collect();
    Vocabularies { encodings: names(here), missing: names(missing) }
}
