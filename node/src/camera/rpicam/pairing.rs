//! Puts the n-th picture of the stream and the n-th record of the metadata together. Pure.

use std::collections::VecDeque;

use syncslate_shared::camera::Settings;
use syncslate_shared::time::Wall;

use super::metadata::RecordReader;
use crate::camera::AccessUnit;
use crate::h264::{Splitter, Unit};

/// No line of metadata is longer: statistics are a few kilobytes.
const MAX_LINE: usize = 1 << 20;
/// So many pictures without their record, or the other way round, are no delay: one of the streams is broken.
const MAX_APART: usize = 120;
/// Exposure and gain change with each picture when they are automatic: people read them once a second.
const EACH_US: i64 = 1_000_000;

/// What has come of both streams.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    splitter: Splitter,
    records: RecordReader,
    line: Vec<u8>,
    units: VecDeque<Unit>,
    times: VecDeque<Wall>,
    /// What the camera was last set to, and when.
    set: Option<(Wall, Settings)>,
    /// Up to when that was told.
    told: Option<Wall>,
}

impl Pairing {
    /// Takes bytes of the stream.
    ///
    /// # Errors
    /// They are no H.264, or no metadata come.
    pub(super) fn stream(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.units.extend(self.splitter.push(bytes)?);
        self.check()
    }

    /// Takes bytes of the metadata. `boottime_to_wall_us` maps the stamps of cameras that do not know the wall clock.
    ///
    /// # Errors
    /// They are no metadata, they have no stamps, or no pictures come.
    pub(super) fn metadata(&mut self, bytes: &[u8], boottime_to_wall_us: impl Fn() -> i64) -> Result<(), String> {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > MAX_LINE {
                return Err(format!("the camera's metadata have a line of more than {MAX_LINE} bytes"));
            }
            if !self.line.ends_with(b"\n") {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(record) = self.records.line(String::from_utf8_lossy(&line).trim_end())? {
                let time = record.time(&boottime_to_wall_us);
                let time = time.ok_or("the camera's metadata have neither FrameWallClock nor SensorTimestamp")?;
                self.set = Some((time, record.set()));
                self.times.push_back(time);
            }
        }
        self.check()
    }

    /// The stream has ended: its last picture is complete if its record came, which is written after it.
    pub(super) fn end_of_stream(&mut self) {
        self.units.extend(self.splitter.finish());
    }

    /// What the camera is set to, once a second.
    pub(super) fn news(&mut self) -> Option<Settings> {
        let due = |(time, _): &(Wall, Settings)| self.told.is_none_or(|told| time.since_us(told).abs() >= EACH_US);
        let (time, set) = self.set.take_if(|set| due(set))?;
        self.told = Some(time);
        Some(set)
    }

    /// The next picture that has its record.
    pub(super) fn next(&mut self) -> Option<AccessUnit> {
        let (_, time) = (self.units.front()?, self.times.front()?);
        let time = *time;
        self.times.pop_front();
        self.units.pop_front().map(|Unit { data, key }| AccessUnit { time, key, data })
    }

    fn check(&self) -> Result<(), String> {
        let (units, times) = (self.units.len(), self.times.len());
        // Only one of them can be in excess once the pairs are taken.
        let apart = units.abs_diff(times);
        if apart > MAX_APART {
            let missing = if units > times { "metadata records" } else { "pictures" };
            return Err(format!("the camera's {missing} are {apart} frames behind, so that stamps cannot be told"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of one slice; the number goes into its bytes.
    fn picture(n: u8, key: bool) -> Vec<u8> {
        vec![0, 0, 0, 1, if key { 0x65 } else { 0x41 }, 0x88, n | 0x80]
    }

    fn record(n: u64) -> String {
        format!("FrameWallClock={}\nLux=3.5\n\n", 1_761_220_930_000_000 + n * 33_333)
    }

    fn paired(pairing: &mut Pairing) -> Vec<(u8, i64)> {
        std::iter::from_fn(|| pairing.next())
            .map(|u| (u.data[6] & 0x7f, u.time.micros() % 1_000_000 / 33_333))
            .collect()
    }

    #[test]
    fn whichever_comes_first_waits_for_the_other() {
        let mut pairing = Pairing::default();
        pairing.stream(&[picture(0, true), picture(1, false)].concat()).unwrap();
        assert_eq!(paired(&mut pairing), []);
        pairing.metadata((record(0) + &record(1)).as_bytes(), || 0).unwrap();
        assert_eq!(paired(&mut pairing), [(0, 0)], "the end of picture 1 is not known yet");
        for byte in (record(2) + &record(3)).bytes() {
            pairing.metadata(&[byte], || 0).unwrap();
        }
        pairing.stream(&[picture(2, false), picture(3, false)].concat()).unwrap();
        assert_eq!(paired(&mut pairing), [(1, 1), (2, 2)]);
        pairing.end_of_stream();
        assert_eq!(paired(&mut pairing), [(3, 3)]);
    }

    #[test]
    fn a_picture_whose_record_never_came_is_left_out() {
        let mut pairing = Pairing::default();
        pairing.stream(&[picture(0, true), picture(1, false)].concat()).unwrap();
        pairing.metadata(record(0).as_bytes(), || 0).unwrap();
        pairing.end_of_stream();
        assert_eq!(paired(&mut pairing), [(0, 0)]);
    }

    #[test]
    fn streams_that_come_apart_are_an_error() {
        let mut pairing = Pairing::default();
        let error = (0..200).find_map(|n| pairing.stream(&picture(n as u8, false)).err()).unwrap();
        assert_eq!(error, "the camera's metadata records are 121 frames behind, so that stamps cannot be told");
        let mut pairing = Pairing::default();
        let error = (0..200).find_map(|n| pairing.metadata(record(n).as_bytes(), || 0).err()).unwrap();
        assert!(error.starts_with("the camera's pictures are 121 frames behind"), "{error}");
        let error = Pairing::default().metadata(b"Lux=3\n\n", || 0).unwrap_err();
        assert!(error.contains("neither FrameWallClock nor SensorTimestamp"), "{error}");
    }
}
