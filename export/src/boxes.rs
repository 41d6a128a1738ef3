//! The boxes of an MP4 file (ISO/IEC 14496-12; the timecode track by Apple's QuickTime File Format), as far as a film of
//! one camera needs them. Pure: from a [`Movie`] to bytes.
//!
//! All that tells the length of the header is known before the first sample is read, so the header is written in front
//! of them and filled in at the end.

use syncslate_shared::time::Wall;

use crate::rate::Rate;

/// From 1904-01-01, where these files' clock begins, to 1970-01-01.
const SINCE_1904_S: u64 = 2_082_844_800;
/// `und`, packed (ISO 639-2/T).
const UNDETERMINED: u16 = 0x55c4;
/// The identity matrix of pictures that are shown as they are.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const VIDEO: u32 = 1;
const TIMECODE: u32 = 2;
/// The timecode's one sample: a frame number.
const TIMECODE_BYTES: usize = 4;

/// What the header tells of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movie {
    /// T0.
    pub created: Wall,
    /// The title: take and camera.
    pub title: String,
    /// The camera's name, the track's.
    pub name: String,
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// What stands in `avcC`.
    pub configuration: Vec<u8>,
    /// Units a second of all times below.
    pub scale: u32,
    /// How long each frame is shown.
    pub lengths: Vec<u32>,
    /// Each frame's bytes in the file; of the same count as `lengths`.
    pub sizes: Vec<u32>,
    /// Whether each frame is a key frame.
    pub keys: Vec<bool>,
    /// Frames that lie together in a chunk, at least 1.
    pub chunk: u32,
    /// What of the frames is shown when.
    pub edit: Edit,
    /// The timecode track; `None` leaves it out.
    pub timecode: Option<Timecode>,
}

/// An edit list: nothing for a while, then the media from some time on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// How long nothing is shown at the beginning.
    pub empty: u64,
    /// Where in the media it begins.
    pub media: u64,
    /// How much of the media is shown.
    pub length: u64,
}

/// The timecode of the film's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timecode {
    /// How it counts.
    pub rate: Rate,
    /// The frame that it begins with, from midnight.
    pub first: u32,
    /// The reel.
    pub reel: String,
}

impl Movie {
    /// Everything before the first frame's bytes: `ftyp`, `moov`, the head of `mdat` and the timecode's sample. Its
    /// length depends on the counts of frames, keys and different lengths alone, not on `sizes`.
    pub fn header(&self) -> Vec<u8> {
        // The offsets in it depend on its own length, and have eight bytes whatever they are.
        let length = self.header_at(0).len() as u64;
        self.header_at(length)
    }

    fn header_at(&self, first: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, b"ftyp", |out| {
            out.extend_from_slice(b"isom\0\0\x02\0isomiso2avc1mp41");
        });
        self.moov(&mut out, first);
        let inside = if self.timecode.is_some() { TIMECODE_BYTES as u64 } else { 0 };
        let samples: u64 = self.sizes.iter().map(|size| u64::from(*size)).sum();
        // Its length always has 64 bits, so that it can be filled in later.
        u32s(&mut out, &[1]);
        out.extend_from_slice(b"mdat");
        u64s(&mut out, &[16 + inside + samples]);
        if let Some(timecode) = &self.timecode {
            u32s(&mut out, &[timecode.first]);
        }
        out
    }

    /// How long the film is.
    fn length(&self) -> u64 {
        self.edit.empty + self.edit.length
    }

    fn moov(&self, out: &mut Vec<u8>, first: u64) {
        put(out, b"moov", |out| {
            full(out, b"mvhd", 1, 0, |out| {
                self.times(out);
                u32s(out, &[self.scale]);
                u64s(out, &[self.length()]);
                // At its own rate, at full volume.
                u32s(out, &[0x1_0000, 0x0100_0000, 0, 0]);
                u32s(out, &MATRIX);
                u32s(out, &[0; 6]);
                u32s(out, &[TIMECODE + 1]);
            });
            self.video(out, first);
            if let Some(timecode) = &self.timecode {
                self.timecode(out, timecode, first.saturating_sub(TIMECODE_BYTES as u64));
            }
            self.tags(out);
        });
    }

    fn times(&self, out: &mut Vec<u8>) {
        let at = u64::try_from(self.created.micros() / 1_000_000).unwrap_or(0) + SINCE_1904_S;
        u64s(out, &[at, at]);
    }

    fn track_head(&self, out: &mut Vec<u8>, track: u32, (width, height): (u16, u16)) {
        // Enabled, and part of the film.
        full(out, b"tkhd", 1, 3, |out| {
            self.times(out);
            u32s(out, &[track, 0]);
            u64s(out, &[self.length()]);
            u32s(out, &[0; 4]);
            u32s(out, &MATRIX);
            u32s(out, &[u32::from(width) << 16, u32::from(height) << 16]);
        });
    }

    fn media_head(&self, out: &mut Vec<u8>, scale: u32, length: u64, kind: &[u8; 4], name: &str) {
        full(out, b"mdhd", 1, 0, |out| {
            self.times(out);
            u32s(out, &[scale]);
            u64s(out, &[length]);
            u16s(out, &[UNDETERMINED, 0]);
        });
        full(out, b"hdlr", 0, 0, |out| {
            u32s(out, &[0]);
            out.extend_from_slice(kind);
            u32s(out, &[0; 3]);
            out.extend_from_slice(name.replace('\0', " ").as_bytes());
            out.push(0);
        });
    }

    fn video(&self, out: &mut Vec<u8>, first: u64) {
        put(out, b"trak", |out| {
            self.track_head(out, VIDEO, self.size);
            put(out, b"edts", |out| {
                let Edit { empty, media, length } = self.edit;
                let entries = u32::from(empty > 0) + 1;
                full(out, b"elst", 1, 0, |out| {
                    u32s(out, &[entries]);
                    if empty > 0 {
                        // The media time −1 says that nothing is shown.
                        u64s(out, &[empty, u64::MAX]);
                        u16s(out, &[1, 0]);
                    }
                    u64s(out, &[length, media]);
                    u16s(out, &[1, 0]);
                });
            });
            if self.timecode.is_some() {
                put(out, b"tref", |out| put(out, b"tmcd", |out| u32s(out, &[TIMECODE])));
            }
            put(out, b"mdia", |out| {
                let length = self.lengths.iter().map(|length| u64::from(*length)).sum();
                self.media_head(out, self.scale, length, b"vide", &self.name);
                put(out, b"minf", |out| {
                    full(out, b"vmhd", 0, 1, |out| u16s(out, &[0; 4]));
                    data_is_here(out);
                    put(out, b"stbl", |out| self.samples(out, first));
                });
            });
        });
    }

    fn samples(&self, out: &mut Vec<u8>, first: u64) {
        full(out, b"stsd", 0, 0, |out| {
            u32s(out, &[1]);
            put(out, b"avc1", |out| {
                u16s(out, &[0, 0, 0, 1]);
                u16s(out, &[0; 8]);
                u16s(out, &[self.size.0, self.size.1]);
                // 72 dots an inch, one frame a sample, no name of a compressor, 24 bits.
                u32s(out, &[0x48_0000, 0x48_0000, 0]);
                u16s(out, &[1]);
                out.extend_from_slice(&[0; 32]);
                u16s(out, &[0x18, 0xffff]);
                put(out, b"avcC", |out| out.extend_from_slice(&self.configuration));
            });
        });
        let runs = runs(&self.lengths);
        full(out, b"stts", 0, 0, |out| {
            u32s(out, &[count(runs.len())]);
            runs.iter().for_each(|(frames, length)| u32s(out, &[*frames, *length]));
        });
        if !self.keys.iter().all(|key| *key) {
            full(out, b"stss", 0, 0, |out| {
                let keys = self.keys.iter().zip(1..).filter(|(key, _)| **key).map(|(_, n)| n);
                u32s(out, &[count(keys.clone().count())]);
                keys.for_each(|n: u32| u32s(out, &[n]));
            });
        }
        let frames = count(self.lengths.len());
        let chunk = self.chunk.max(1);
        let (full_chunks, last) = (frames / chunk, frames % chunk);
        full(out, b"stsc", 0, 0, |out| {
            let mut entries = Vec::new();
            if full_chunks > 0 {
                entries.push([1, chunk, 1]);
            }
            if last > 0 {
                entries.push([full_chunks + 1, last, 1]);
            }
            u32s(out, &[count(entries.len())]);
            entries.iter().for_each(|entry| u32s(out, entry));
        });
        full(out, b"stsz", 0, 0, |out| {
            u32s(out, &[0, frames]);
            u32s(out, &self.sizes);
        });
        full(out, b"co64", 0, 0, |out| {
            u32s(out, &[frames.div_ceil(chunk)]);
            let mut at = first;
            for chunk in self.sizes.chunks(chunk as usize) {
                u64s(out, &[at]);
                at += chunk.iter().map(|size| u64::from(*size)).sum::<u64>();
            }
        });
    }

    fn timecode(&self, out: &mut Vec<u8>, timecode: &Timecode, at: u64) {
        let frames = timecode.rate.frames;
        let length = u128::from(self.length()) * u128::from(frames) / u128::from(self.scale.max(1));
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        put(out, b"trak", |out| {
            self.track_head(out, TIMECODE, (0, 0));
            put(out, b"mdia", |out| {
                self.media_head(out, frames, length, b"tmcd", "timecode");
                put(out, b"minf", |out| {
                    put(out, b"gmhd", |out| {
                        // How QuickTime would show it: copied, in Courier, white on black.
                        full(out, b"gmin", 0, 0, |out| u16s(out, &[0x40, 0x8000, 0x8000, 0x8000, 0, 0]));
                        put(out, b"tmcd", |out| {
                            full(out, b"tcmi", 0, 0, |out| {
                                u16s(out, &[0, 0, 12, 0, 0, 0, 0, 0xffff, 0xffff, 0xffff]);
                                out.extend_from_slice(b"\x07Courier");
                            });
                        });
                    });
                    data_is_here(out);
                    put(out, b"stbl", |out| one_timecode(out, timecode, length, at));
                });
            });
        });
    }

    /// The title, as players show it.
    fn tags(&self, out: &mut Vec<u8>) {
        put(out, b"udta", |out| {
            full(out, b"meta", 0, 0, |out| {
                full(out, b"hdlr", 0, 0, |out| {
                    u32s(out, &[0]);
                    out.extend_from_slice(b"mdirappl");
                    u32s(out, &[0, 0]);
                    out.push(0);
                });
                put(out, b"ilst", |out| {
                    for (tag, text) in [(b"\xa9nam", &self.title), (b"\xa9cmt", &format!("T0 {}", self.created))] {
                        // Kind 1: UTF-8.
                        put(out, tag, |out| {
                            put(out, b"data", |out| {
                                u32s(out, &[1, 0]);
                                out.extend_from_slice(text.as_bytes());
                            });
                        });
                    }
                });
            });
        });
    }
}

fn one_timecode(out: &mut Vec<u8>, timecode: &Timecode, length: u64, at: u64) {
    let Rate { frames, seconds } = timecode.rate;
    full(out, b"stsd", 0, 0, |out| {
        u32s(out, &[1]);
        put(out, b"tmcd", |out| {
            u16s(out, &[0, 0, 0, 1]);
            // It begins again at midnight; no frames are dropped.
            u32s(out, &[0, 2, frames, seconds]);
            out.extend_from_slice(&[u8::try_from(timecode.rate.base()).unwrap_or(u8::MAX), 0]);
            put(out, b"name", |out| {
                u16s(out, &[u16::try_from(timecode.reel.len()).unwrap_or(0), 0]);
                out.extend_from_slice(timecode.reel.as_bytes());
            });
        });
    });
    full(out, b"stts", 0, 0, |out| u32s(out, &[1, 1, u32::try_from(length).unwrap_or(u32::MAX)]));
    full(out, b"stsc", 0, 0, |out| u32s(out, &[1, 1, 1, 1]));
    full(out, b"stsz", 0, 0, |out| u32s(out, &[TIMECODE_BYTES as u32, 1]));
    full(out, b"co64", 0, 0, |out| {
        u32s(out, &[1]);
        u64s(out, &[at]);
    });
}

fn data_is_here(out: &mut Vec<u8>) {
    put(out, b"dinf", |out| {
        full(out, b"dref", 0, 0, |out| {
            u32s(out, &[1]);
            full(out, b"url ", 0, 1, |_| {});
        });
    });
}

/// Equal lengths that follow each other, with their count.
fn runs(lengths: &[u32]) -> Vec<(u32, u32)> {
    lengths.chunk_by(|a, b| a == b).map(|run| (count(run.len()), run.first().copied().unwrap_or_default())).collect()
}

fn count(frames: usize) -> u32 {
    u32::try_from(frames).unwrap_or(u32::MAX)
}

fn put(out: &mut Vec<u8>, kind: &[u8; 4], inside: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    u32s(out, &[0]);
    out.extend_from_slice(kind);
    inside(out);
    let length = u32::try_from(out.len() - begin).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(begin..begin + 4) {
        place.copy_from_slice(&length);
    }
}

fn full(out: &mut Vec<u8>, kind: &[u8; 4], version: u32, flags: u32, inside: impl FnOnce(&mut Vec<u8>)) {
    put(out, kind, |out| {
        u32s(out, &[version << 24 | flags]);
        inside(out);
    });
}

fn u16s(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
}

fn u32s(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
}

fn u64s(out: &mut Vec<u8>, values: &[u64]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
}

#[cfg(test)]
#[path = "boxes_tests.rs"]
mod tests;
