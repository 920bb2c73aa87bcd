//! Where the command line keeps its files, and what it loads from them.

use std::env::var_os;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokenbook_wire::{Book, call};

use crate::arguments::{Arguments, PricesUpdate};
use crate::failure::Failure;

/// A folder of the user by the XDG base directory rules, which also hold on macOS and Windows here.
fn user_folder(variable: &str, below_home: &str) -> Result<PathBuf, Failure> {
    let named = var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || var_os("HOME").or_else(|| var_os("USERPROFILE")).map(|home| Path::new(&home).join(below_home));
    named
        .or_else(home)
        .map(|folder| folder.join("tokenbook"))
        .ok_or_else(|| Failure::invalid("no home folder is known").hint("name the file, with --ledger or --prices"))
}

/// The ledger's file.
pub(crate) fn ledger(arguments: &Arguments) -> Result<PathBuf, Failure> {
    match &arguments.ledger {
        Some(path) => Ok(path.clone()),
        None => Ok(user_folder("XDG_DATA_HOME", ".local/share")?.join("ledger.db")),
    }
}

/// Says where vocabularies are, if the user did.
pub(crate) fn use_vocabularies(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.vocabularies {
        call("vocabularies", &json!({ "folder": folder.to_string_lossy() }).to_string())?;
    }
    Ok(())
}

/// The user's own prices.
pub(crate) fn prices(arguments: &Arguments) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.prices {
        return Ok(path.clone());
    }
    let folder = user_folder("XDG_CONFIG_HOME", ".config")?;
    let toml = folder.join("prices.toml");
    Ok(if toml.exists() { toml } else { folder.join("prices.json") })
}

/// The catalog that replaces the built-in one.
pub(crate) fn catalog() -> Result<PathBuf, Failure> {
    Ok(user_folder("XDG_DATA_HOME", ".local/share")?.join("catalog.json"))
}

/// Opens the ledger, making its folder for the default place.
pub(crate) fn open(arguments: &Arguments) -> Result<Book, Failure> {
    let path = ledger(arguments)?;
    if arguments.ledger.is_none()
        && let Some(folder) = path.parent()
    {
        fs::create_dir_all(folder).map_err(|error| Failure::io(folder.display(), &error))?;
    }
    Ok(Book::open(&json!({ "path": path_text(&path)? }).to_string())?)
}

/// A path as JSON can hold it.
pub(crate) fn path_text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::invalid(format!("the path {} is not valid UTF-8", path.display())))
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::io(path.display(), &error))
}

/// Loads the replaced catalog and the user's own prices, where there are any.
pub(crate) fn load_prices(arguments: &Arguments) -> Result<(), Failure> {
    let replaced = catalog().ok().filter(|path| path.exists());
    if let Some(path) = replaced {
        call("prices_replace", &json!({ "catalog": read(&path)? }).to_string())?;
    }
    let own = match (&arguments.prices, prices(arguments)) {
        (Some(named), _) => Some(named.clone()),
        (None, default) => default.ok().filter(|path| path.exists()),
    };
    if let Some(path) = own {
        call("prices_override", &json!({ "prices": read(&path)? }).to_string())?;
    }
    Ok(())
}

/// Puts a newer catalog in place, or takes it away again.
pub(crate) fn update_prices(update: &PricesUpdate) -> Result<(), Failure> {
    let place = catalog()?;
    let Some(file) = &update.file else {
        match fs::remove_file(&place) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::io(place.display(), &error)),
        }
        eprintln!("the built-in catalog is in use");
        return Ok(());
    };
    let text = read(file)?;
    // Checked before it is put in place, so that a broken file changes nothing.
    let answer = call("prices_replace", &json!({ "catalog": text }).to_string())?;
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::io(folder.display(), &error))?;
    }
    let beside = place.with_extension("json.new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, &place))
        .map_err(|error| Failure::io(place.display(), &error))?;
    eprintln!("in use from now on: {answer}");
    Ok(())
}
