//! Random secrets, and the files that only this user can read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};
use syncslate_shared::report::Failure;

/// 256 bits from the kernel.
///
/// # Errors
/// The kernel has none.
pub fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(32) => Ok(bytes),
        Ok(_) => Err(Failure::new("the kernel gave too few random bytes")),
        Err(e) => Err(Failure::new(format!("the kernel gave no random bytes: {e}"))),
    }
}

/// In hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file that only this user can read, in the place of one that is there.
///
/// # Errors
/// With the file's name.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let cannot = |e| Failure::new(format!("cannot write {}: {e}", path.display()));
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(cannot(e)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    file.write_all(bytes).map_err(cannot)
}

/// The key in this file; a new one when there is none, or one that a power cut left short.
///
/// # Errors
/// The file cannot be read or written.
pub fn kept(path: &Path) -> Result<[u8; 32], Failure> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() == 32 => {
            let mut key = [0; 32];
            key.copy_from_slice(&bytes);
            return Ok(key);
        }
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(Failure::new(format!("cannot read {}: {e}", path.display()))),
    }
    let key = random()?;
    write(path, &key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_kept_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = kept(&path).unwrap();
        assert_eq!(kept(&path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, b"half").unwrap();
        assert_ne!(kept(&path).unwrap(), key);
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
