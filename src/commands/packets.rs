//! `--pcap FILE`: what taps saw, for tcpdump and Wireshark.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::error::Error;
use crate::observe::Tapped;
use crate::tap::pcapng;

/// Makes the file before anything is asked, with mode 0600: packets show how a cluster is built.
///
/// # Errors
/// When it is there already, or cannot be made.
pub(super) fn create(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| cannot(path, &error))
}

/// Writes the packets.
///
/// # Errors
/// When the disk is full, say.
pub(super) fn write(file: &mut File, path: &Path, taps: &[Tapped]) -> Result<(), Error> {
    let written = file.write_all(&pcapng(taps));
    written.map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::AlreadyExists => "name a new file, or remove this one",
        _ => "",
    };
    Error::usage(format!("cannot write {}: {error}", path.display()), hint)
}
