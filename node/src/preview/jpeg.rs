//! Where one JPEG picture of a stream ends and the next one begins. Pure.
//!
//! Nothing is decoded: headers say their length, and within the picture's data a byte `ff` is never followed by what
//! could be a marker (ITU-T T.81, B.1.1.5).

use syncslate_shared::preview::MAX_PICTURE;

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Cuts a stream of pictures that comes in pieces of any size.
#[derive(Clone, Debug, Default)]
pub(super) struct Splitter {
    /// Begins at the start of a picture.
    buffer: Vec<u8>,
    /// Up to here it is understood.
    at: usize,
    /// Whether picture data stand at `at`, not a marker.
    data: bool,
}

impl Splitter {
    /// Takes the next bytes and gives the pictures that they complete.
    ///
    /// # Errors
    /// What comes are no JPEG pictures, or larger ones than are sent.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        self.buffer.extend_from_slice(bytes);
        let mut pictures = Vec::new();
        while self.step(&mut pictures)? {}
        if self.buffer.len() > MAX_PICTURE {
            return Err(format!("a picture is larger than {MAX_PICTURE} bytes"));
        }
        Ok(pictures)
    }

    /// Goes on by one marker or run of data; false when more bytes are needed.
    fn step(&mut self, pictures: &mut Vec<Vec<u8>>) -> Result<bool, String> {
        let Some(rest) = self.buffer.get(self.at..) else { return Ok(false) };
        if self.data {
            let marker = rest.windows(2).position(|w| w[0] == 0xff && !matches!(w[1], 0 | 0xff | 0xd0..=0xd7));
            self.at += marker.unwrap_or(rest.len().saturating_sub(1));
            self.data = marker.is_none();
            return Ok(marker.is_some());
        }
        let &[first, kind, ..] = rest else { return Ok(false) };
        if first != 0xff || (self.at == 0 && kind != START) {
            return Err("what the child writes is no JPEG picture".into());
        }
        match kind {
            0xff => self.at += 1,
            START => self.at += 2,
            END => {
                let behind = self.buffer.split_off(self.at + 2);
                pictures.push(std::mem::replace(&mut self.buffer, behind));
                self.at = 0;
            }
            _ => {
                let Some(&[high, low]) = rest.get(2..4) else { return Ok(false) };
                self.at += 2 + usize::from(u16::from_be_bytes([high, low]));
                self.data = kind == SCAN;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A picture as an encoder writes it; the comment may hold anything, also what looks like an end.
    fn picture(comment: &[u8], data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(comment.len() + 2).unwrap().to_be_bytes();
        let stuffed = data.iter().flat_map(|byte| if *byte == 0xff { vec![0xff, 0] } else { vec![*byte] });
        let head = [&[0xff, START, 0xff, 0xfe], &length[..], comment, &[0xff, SCAN, 0, 3, 1]].concat();
        head.into_iter().chain(stuffed).chain([0xff, 0xd3, 7, 0xff, END]).collect()
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_pictures(
            parts in prop::collection::vec(
                (prop::collection::vec(prop_oneof![Just(0xff), Just(END), any::<u8>()], 0..30),
                 prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..60)), 1..6),
            chunk in 1usize..50,
        ) {
            let pictures: Vec<_> = parts.iter().map(|(comment, data)| picture(comment, data)).collect();
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for piece in pictures.concat().chunks(chunk) {
                found.extend(splitter.push(piece).unwrap());
            }
            prop_assert_eq!(found, pictures);
            prop_assert!(splitter.buffer.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..200)) {
            let _ = Splitter::default().push(&bytes);
            let _ = Splitter::default().push(&[&[0xff, START], &bytes[..]].concat());
        }
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_an_error() {
        assert!(Splitter::default().push(b"Hello").unwrap_err().contains("no JPEG"));
        let mut splitter = Splitter::default();
        let endless = [&picture(b"", b"")[..13], &vec![7; MAX_PICTURE]].concat();
        assert!(splitter.push(&endless).unwrap_err().contains("larger than"));
    }
}
