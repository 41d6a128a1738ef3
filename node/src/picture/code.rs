//! The machine-readable part of the test camera's picture: the exact time of exposure, the frame counter and the
//! node, with a checksum, as black and white blocks in the top rows. Pure.
//!
//! The blocks lie on the encoder's macroblocks and their contrast is the largest there is, so that they survive an
//! encoder at the bit rates where the rest of the picture has long become mush. A reader needs nothing but the luma
//! plane and the picture's size.

use std::net::Ipv4Addr;

/// 64 bits of time, 32 of counter, 32 of address, 32 of checksum.
const BITS: usize = 160;
const BYTES: usize = BITS / 8;
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// What a picture says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The wall clock of its exposure in nanoseconds since 1970.
    pub time_ns: u64,
    /// Its number since the camera started; frames that the camera dropped are counted.
    pub counter: u32,
    /// The node that took it.
    pub ip: Ipv4Addr,
}

/// Where the blocks lie in a picture of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: usize,
    block: usize,
    columns: usize,
    rows: usize,
}

impl Layout {
    /// The layout for a picture of this size: blocks of 16 pixels where they take at most a third of the height,
    /// else of 8. `None` when the picture is too small for either.
    pub fn of(width: usize, height: usize) -> Option<Self> {
        let with = |block: usize| {
            let columns = (width / block).min(BITS);
            (columns > 0).then(|| Self { width, block, columns, rows: BITS.div_ceil(columns) })
        };
        let roomy = with(16).filter(|layout| layout.height() * 3 <= height);
        roomy.or_else(|| with(8).filter(|layout| layout.height() <= height))
    }

    /// How many rows of pixels, from the top, the blocks take.
    pub fn height(&self) -> usize {
        self.rows * self.block
    }

    /// Writes `code` into the top rows of a luma plane of this layout's width.
    pub fn write(&self, code: &Code, luma: &mut [u8]) {
        let bytes = code.bytes();
        for row in 0..self.rows {
            let (mut bits, band) = (row * self.columns.., self.block * self.width);
            let Some(band) = luma.get_mut(row * band..(row + 1) * band) else { return };
            let (first, rest) = band.split_at_mut(self.width);
            for block in first.chunks_exact_mut(self.block).take(self.columns) {
                block.fill(if bits.next().is_some_and(|n| bit(&bytes, n)) { WHITE } else { BLACK });
            }
            for line in rest.chunks_exact_mut(self.width) {
                line.copy_from_slice(first);
            }
        }
    }

    /// Reads what [`Layout::write`] wrote; `None` when the checksum says that the picture is damaged or says nothing.
    pub fn read(&self, luma: &[u8]) -> Option<Code> {
        let mut bytes = [0; BYTES];
        for n in 0..BITS {
            if self.is_white(luma, n % self.columns, n / self.columns)? {
                *bytes.get_mut(n / 8)? |= 0x80 >> (n % 8);
            }
        }
        Code::from_bytes(&bytes)
    }

    /// The mean of a block's inner half is bright. Its edges are left out: that is where an encoder smears.
    fn is_white(&self, luma: &[u8], column: usize, row: usize) -> Option<bool> {
        let (inset, side) = (self.block / 4, self.block / 2);
        let (x, y) = (column * self.block + inset, row * self.block + inset);
        let mut sum = 0usize;
        for line in y..y + side {
            let start = line * self.width + x;
            sum += luma.get(start..start + side)?.iter().map(|&p| usize::from(p)).sum::<usize>();
        }
        Some(sum > side * side * usize::from(BLACK.midpoint(WHITE)))
    }
}

impl Code {
    fn bytes(&self) -> [u8; BYTES] {
        let mut out = [0; BYTES];
        let said = [&self.time_ns.to_be_bytes()[..], &self.counter.to_be_bytes(), &self.ip.octets()].concat();
        let sum = crc32fast::hash(&said).to_be_bytes();
        for (to, from) in out.iter_mut().zip(said.iter().chain(&sum)) {
            *to = *from;
        }
        out
    }

    fn from_bytes(bytes: &[u8; BYTES]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let (counter, rest) = rest.split_first_chunk()?;
        let (ip, _) = rest.split_first_chunk::<4>()?;
        let code = Self { time_ns: u64::from_be_bytes(*time), counter: u32::from_be_bytes(*counter), ip: (*ip).into() };
        (code.bytes() == *bytes).then_some(code)
    }
}

fn bit(bytes: &[u8; BYTES], n: usize) -> bool {
    bytes.get(n / 8).is_some_and(|byte| byte & (0x80 >> (n % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_code() -> impl Strategy<Value = Code> {
        any::<(u64, u32, u32)>().prop_map(|(time_ns, counter, ip)| Code { time_ns, counter, ip: ip.into() })
    }

    #[test]
    fn blocks_shrink_before_the_picture_is_too_small() {
        for (size, layout) in [
            ((1920, 1080), Some((16, 32))),
            ((1280, 720), Some((16, 32))),
            ((640, 360), Some((16, 64))),
            ((320, 240), Some((8, 32))),
            ((160, 120), Some((8, 64))),
            ((160, 90), Some((8, 64))),
            ((160, 60), None),
            ((0, 1000), None),
        ] {
            assert_eq!(Layout::of(size.0, size.1).map(|l| (l.block, l.height())), layout, "{size:?}");
        }
    }

    #[test]
    fn an_even_picture_says_nothing() {
        let layout = Layout::of(640, 360).unwrap();
        for shade in [0, 16, 128, 235, 255] {
            assert_eq!(layout.read(&vec![shade; 640 * 360]), None);
        }
    }

    proptest! {
        #[test]
        fn codes_survive_every_size_and_noise(
            code in any_code(), w in 80usize..1000, h in 45usize..600, noise in proptest::collection::vec(-70i16..70, 97),
        ) {
            let (w, h) = (w * 2, h * 2);
            let Some(layout) = Layout::of(w, h) else { return Ok(()) };
            let mut luma = vec![99; w * h];
            layout.write(&code, &mut luma);
            for (pixel, noise) in luma.iter_mut().zip(noise.iter().cycle()) {
                *pixel = (i16::from(*pixel) + noise).clamp(0, 255) as u8;
            }
            prop_assert_eq!(layout.read(&luma), Some(code));
        }

        #[test]
        fn one_flipped_block_is_noticed(code in any_code(), n in 0usize..160) {
            let layout = Layout::of(640, 360).unwrap();
            let mut luma = vec![99; 640 * 360];
            layout.write(&code, &mut luma);
            let (x, y) = (n % 40 * 16, n / 40 * 16);
            for line in y..y + 16 {
                luma[line * 640 + x..][..16].iter_mut().for_each(|p| *p = 251 - *p);
            }
            prop_assert_eq!(layout.read(&luma), None);
        }

        #[test]
        fn no_plane_makes_the_reader_panic(luma in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let _ = Layout::of(160, 90).unwrap().read(&luma);
        }
    }
}
