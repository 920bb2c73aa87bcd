//! The ledger's files: where they are, who may read them, and file systems that can't hold them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tokenbook::{Error, ErrorCode, Result};

use crate::store::io;

/// The files of one ledger.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The database.
    pub(crate) database: PathBuf,
    /// Its write-ahead log.
    pub(crate) wal: PathBuf,
    /// The ticket that writers wait for, and the head kept outside the database.
    pub(crate) ticket: PathBuf,
    /// What readers hold while they read.
    pub(crate) readers: PathBuf,
    /// What grows with each change of a budget.
    pub(crate) budgets: PathBuf,
}

/// Checks a ledger's path and creates an empty file there if there is none.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] for a symbolic link or anything but a file, and for a network file system unless
/// `any_file_system`; [`ErrorCode::Unavailable`] when the folder is missing or can't be written.
pub(crate) fn prepare(path: &Path, any_file_system: bool) -> Result<Paths> {
    let Some(name) = path.file_name() else {
        return Err(Error::invalid(format!("expected the path of a file, got {}", path.display())));
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = fs::canonicalize(folder).map_err(|error| io("find the folder", folder, &error))?;
    let database = folder.join(name);
    let beside = |suffix: &str| {
        let mut name = OsString::from(name);
        name.push(suffix);
        folder.join(name)
    };
    let paths = Paths {
        wal: beside("-wal"),
        ticket: beside("-lock"),
        readers: beside("-readers"),
        budgets: beside("-budgets"),
        database: database.clone(),
    };
    match fs::symlink_metadata(&database) {
        Ok(found) if found.file_type().is_symlink() => {
            return Err(Error::invalid(format!("{} is a symbolic link; open what it points to", database.display())));
        }
        Ok(found) if !found.is_file() => {
            return Err(Error::invalid(format!("{} is no file", database.display())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if !any_file_system {
                refuse_network(&folder)?;
            }
            match private().write(true).create_new(true).open(&database) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(io("create", &database, &error)),
                _ => {}
            }
        }
        Err(error) => return Err(io("look at", &database, &error)),
    }
    if !any_file_system {
        refuse_network(&database)?;
    }
    Ok(paths)
}

/// Opens or creates one of the small files beside the database, for its owner only and never through a link.
pub(crate) fn open_beside(path: &Path) -> Result<File> {
    private().read(true).write(true).create(true).truncate(false).open(path).map_err(|error| io("open", path, &error))
}

/// Options for files that only their owner may read.
#[cfg(unix)]
pub(crate) fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    #[expect(clippy::cast_possible_wrap, reason = "the flags of open(2) are an int")]
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    options
}

/// Options for files that only their owner may read.
#[cfg(not(unix))]
pub(crate) fn private() -> OpenOptions {
    OpenOptions::new()
}

/// Creates a file that only its owner may read.
pub(crate) fn create(path: &Path) -> Result<File> {
    private().write(true).create_new(true).open(path).map_err(|error| io("create", path, &error))
}

/// Has a file written beside `path` and gives it that name once it has reached the disk; an existing file is refused.
pub(crate) fn whole_or_not_at_all<T>(path: &Path, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::invalid(format!("{} is there already", path.display())));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    // What a process that was killed half-way left behind.
    let _ = fs::remove_file(&part);
    let done = write(&part).and_then(|done| {
        File::open(&part).and_then(|file| file.sync_all()).map_err(|error| io("write", &part, &error))?;
        // A hard link, unlike a renaming, never replaces a file that came meanwhile.
        fs::hard_link(&part, path).map_err(|error| io("create", path, &error))?;
        Ok(done)
    });
    let _ = fs::remove_file(&part);
    done
}

/// Refuses file systems whose locks or shared memory don't reach all their users.
#[cfg(target_os = "linux")]
fn refuse_network(path: &Path) -> Result<()> {
    let found = rustix::fs::statfs(path).map_err(|error| io("look at", path, &error.into()))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "magic numbers have 32 bits")]
    let magic = found.f_type as u32;
    // linux/magic.h and statfs(2).
    let kind = match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x7461_636f => "OCFS2",
        0x0116_1970 => "GFS2",
        0x786f_4256 => "a VirtualBox share",
        _ => return Ok(()),
    };
    Err(Error::new(
        ErrorCode::InvalidArgument,
        format!(
            "{} lies on {kind}, where several writers would damage a ledger; put it on a local disk, or open it with \
             journal = rollback if one host alone uses it",
            path.display()
        ),
    )
    .with("file_system", kind))
}

/// Refuses nothing: only Linux tells file systems apart by a number.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the shape of its Linux twin")]
fn refuse_network(_path: &Path) -> Result<()> {
    Ok(())
}
