//! Retained messages on disk, so that a restart of the controller forgets nothing.
//!
//! One file, written whole: to a temporary file beside it, synced, renamed over it. What was there before stays whole if
//! the power fails. A damaged file is put aside and said so, never guessed at.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::message::Message;

const MAGIC: &[u8] = b"syncslate retained 1\n";

/// The file's bytes. Expiry counts on from what was left at `now_ms`.
pub(crate) fn encode<'a>(messages: impl Iterator<Item = &'a Message>, now_ms: u64) -> Bytes {
    let mut out = BytesMut::from(MAGIC);
    for message in messages {
        let Ok(left) = message.left(now_ms) else { continue };
        let kept = Message { at_ms: 0, expiry: left, sender: 0, ..message.clone() };
        let header = kept.header();
        out.put_u32(u32::try_from(header.len()).unwrap_or(u32::MAX));
        out.put_slice(&header);
        out.put_u32(u32::try_from(kept.payload.len()).unwrap_or(u32::MAX));
        out.put_slice(&kept.payload);
    }
    let crc = crc32fast::hash(&out);
    out.put_u32(crc);
    out.freeze()
}

/// The way back; `None` if anything is wrong with it.
pub(crate) fn decode(mut file: Bytes) -> Option<Vec<Message>> {
    let body = file.split_to(file.len().checked_sub(4)?);
    if !body.starts_with(MAGIC) || crc32fast::hash(&body) != file.get_u32() {
        return None;
    }
    let mut body = body.slice(MAGIC.len()..);
    let mut out = Vec::new();
    while !body.is_empty() {
        let header = chunk(&mut body)?;
        let payload = chunk(&mut body)?;
        out.push(Message::from_header(header, payload)?);
    }
    Some(out)
}

fn chunk(body: &mut Bytes) -> Option<Bytes> {
    if body.len() < 4 {
        return None;
    }
    let length = body.get_u32() as usize;
    (body.len() >= length).then(|| body.split_to(length))
}

/// Reads the file; one that is not there is empty. A damaged one is renamed, and its new name returned as the error.
pub(crate) fn load(path: &Path) -> io::Result<Result<Vec<Message>, PathBuf>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Ok(Vec::new())),
        Err(e) => return Err(e),
    };
    match decode(bytes.into()) {
        Some(messages) => Ok(Ok(messages)),
        None => {
            let aside = path.with_extension("damaged");
            fs::rename(path, &aside)?;
            Ok(Err(aside))
        }
    }
}

/// Writes the file whole or not at all.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(topic: &str, payload: &[u8], expiry: Option<u32>) -> Message {
        Message {
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload),
            qos: 1,
            retain: true,
            sender: 0,
            at_ms: 0,
            expiry,
            forward: Bytes::from_static(&[1, 1]),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(all in prop::collection::vec(("\\PC{1,9}", any::<Vec<u8>>()), 0..9)) {
            let all: Vec<_> = all.iter().map(|(t, p)| message(t, p, None)).collect();
            prop_assert_eq!(decode(encode(all.iter(), 5)), Some(all));
        }

        #[test]
        fn damage_is_seen(all in prop::collection::vec("[a-z]{1,9}", 1..5), at: prop::sample::Index, bit in 0..8) {
            let all: Vec<_> = all.iter().map(|t| message(t, b"x", None)).collect();
            let mut bytes = encode(all.iter(), 0).to_vec();
            let i = at.index(bytes.len());
            bytes[i] ^= 1u8 << bit;
            prop_assert_eq!(decode(bytes.into()), None);
        }

        #[test]
        fn any_bytes_are_borne(bytes: Vec<u8>) {
            prop_assert_eq!(decode(bytes.into()), None);
        }
    }

    #[test]
    fn expiry_goes_on_and_what_has_expired_is_left_out() {
        let all = [message("a", b"x", Some(10)), message("b", b"x", Some(3))];
        let back = decode(encode(all.iter(), 4000)).unwrap();
        assert_eq!(
            back.iter().map(|m| (m.topic.to_string(), m.expiry)).collect::<Vec<_>>(),
            [("a".to_owned(), Some(6))]
        );
    }

    #[test]
    fn a_damaged_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("retained");
        assert!(load(&path).unwrap().unwrap().is_empty());
        save(&path, &encode([message("a", b"x", None)].iter(), 0)).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().len(), 1);
        fs::write(&path, b"nonsense").unwrap();
        assert_eq!(load(&path).unwrap(), Err(dir.path().join("retained.damaged")));
        assert!(!path.exists());
    }
}
