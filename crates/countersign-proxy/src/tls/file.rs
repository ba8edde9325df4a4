use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
/// In words where it can't be read, is larger, or is no file: a pipe would let a reload wait for ever.
pub(super) fn read(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |fault: std::io::Error| format!("can't read {}: {fault}", path.display());
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("can't read {}: it is no file", path.display()));
    }
    let mut content = Zeroizing::new(Vec::new());
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut content)).map_err(failed)?;
    if content.len() as u64 > most {
        return Err(format!("{} is larger than {} KiB", path.display(), most >> 10));
    }
    Ok(content)
}

/// Of a chain, or of a private key.
pub(super) const SMALL: u64 = 1 << 20;
/// Of authorities.
pub(super) const AUTHORITIES: u64 = 4 << 20;
/// Of revocations: about 800 000 of them.
pub(super) const REVOCATIONS: u64 = 32 << 20;
