//! Reads `<base>_frames.csv` as it comes, a million lines in a tenth of a second, and uses what is whole of a damaged
//! one. Pure: it reads from whatever gives bytes.
//!
//! A damaged line is named with its number and left out. A line that can be read but makes no sense is damaged as well:
//! a frame number that its neighbours do not bear out, a time that lies outside neighbours which are in order.

use std::io::Read;

use syncslate_shared::files::FRAMES_HEADER;
use syncslate_shared::time::Wall;

/// More frames than this are not read: at 30 a second 77 hours, in 100 MB of memory.
pub const MOST: usize = 1 << 23;
/// So many damaged lines are told, the others counted.
pub const TOLD: usize = 20;
/// No line of ours is longer.
const LONGEST: usize = 160;
/// Read at once.
const CHUNK: usize = 256 * 1024;
const COLUMNS: [&str; 6] = ["frame", "segment", "offset", "bytes", "key", "time_us"];
/// The end of the year 9999.
const LAST_US: u64 = 253_402_300_799_999_999;

/// What a frame table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Frame numbers, always growing.
    pub numbers: Vec<u32>,
    /// The wall clock of each one's exposure in microseconds since 1970. It can go back: a clock can be set.
    pub times: Vec<i64>,
    /// How many lines were left out.
    pub damaged: u64,
    /// The first of them: `line 17: column time_us is no number`.
    pub damage: Vec<String>,
    /// Whether the last line has no end: the file is still coming, or the power was cut.
    pub torn: bool,
}

/// A line that waits for the next one to bear it out.
#[derive(Clone, Copy, Debug)]
struct Doubtful {
    line: u64,
    number: u32,
    time: i64,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn read(mut source: impl Read) -> std::io::Result<Self> {
        let mut reader = Reader::default();
        let mut chunk = vec![0; CHUNK];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => return Ok(reader.end()),
                Ok(read) => reader.take(chunk.get(..read).unwrap_or_default()),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// How many frames it tells of.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether it tells of none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    fn leave_out(&mut self, line: u64, why: &str) {
        self.damaged += 1;
        if self.damage.len() < TOLD {
            self.damage.push(format!("line {line}: {why}"));
        }
    }

    fn add(&mut self, number: u32, time: i64) {
        self.numbers.push(number);
        self.times.push(time);
    }

    /// Leaves out times that lie outside their neighbours though these are in order: a digit was damaged.
    fn leave_out_times(&mut self) {
        let stray = |times: &[i64]| matches!(times, [a, b, c] if a < c && !(a < b && b < c));
        let strays: Vec<usize> =
            self.times.windows(3).enumerate().filter(|(_, w)| stray(w)).map(|(i, _)| i + 1).collect();
        // Where the clock was set back and forth every second one would look so: then nothing can be told.
        if strays.is_empty() || strays.len() > self.times.len() / 50 + 1 {
            return;
        }
        for i in strays {
            if let Some(number) = self.numbers.get(i).copied() {
                self.damaged += 1;
                if self.damage.len() < TOLD {
                    self.damage.push(format!("frame {number}: its time does not lie between those around it"));
                }
            }
        }
        let times = self.times.clone();
        let is_stray = |i: usize| i > 0 && times.get(i - 1..i + 2).is_some_and(stray);
        let mut at = 0..;
        self.numbers.retain(|_| !at.next().is_some_and(is_stray));
        let mut at = 0..;
        self.times.retain(|_| !at.next().is_some_and(is_stray));
    }
}

#[derive(Debug, Default)]
struct Reader {
    table: Table,
    /// The line that began in the last chunk.
    begun: Vec<u8>,
    /// It is too long to be one of ours; its bytes are not kept.
    too_long: bool,
    line: u64,
    doubtful: Option<Doubtful>,
    full: bool,
}

impl Reader {
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() && !self.too_long {
                self.whole(line);
            } else {
                self.keep(line);
                let (line, too_long) = (std::mem::take(&mut self.begun), std::mem::take(&mut self.too_long));
                if too_long { self.refuse("it is too long") } else { self.whole(&line) }
            }
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.begun.len() + bytes.len() > LONGEST {
            self.too_long = true;
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn refuse(&mut self, why: &str) {
        self.line += 1;
        self.table.leave_out(self.line, why);
    }

    fn whole(&mut self, line: &[u8]) {
        self.line += 1;
        if self.line == 1 && line == FRAMES_HEADER.as_bytes() {
            return;
        }
        if self.line == 1 {
            self.table.leave_out(1, &format!("it is not {FRAMES_HEADER}"));
        }
        match parse(line) {
            Ok(_) if self.full => {}
            Ok((number, time)) => self.row(Doubtful { line: self.line, number, time }),
            // The first line was named already.
            Err(_) if self.line == 1 => {}
            Err(why) => self.table.leave_out(self.line, &why),
        }
    }

    fn row(&mut self, row: Doubtful) {
        let last = self.table.numbers.last().copied();
        let follows = |number: u32| last.is_none_or(|last| number > last);
        let next = last.map_or(0, |last| last.saturating_add(1));
        if let Some(held) = self.doubtful.take() {
            if row.number.checked_sub(1) == Some(held.number) && follows(held.number) {
                // Two that agree: lines are missing before them.
                self.table.add(held.number, held.time);
                self.table.add(row.number, row.time);
                return;
            }
            self.table.leave_out(held.line, &stray(held.number, last));
        }
        if row.number == next {
            self.table.add(row.number, row.time);
        } else {
            self.doubtful = Some(row);
        }
        if self.table.len() >= MOST {
            self.full = true;
            self.table.leave_out(self.line, "there are more frames than can be read; the rest is left out");
        }
    }

    fn end(mut self) -> Table {
        if let Some(held) = self.doubtful.take() {
            let last = self.table.numbers.last().copied();
            // The last line after damaged ones cannot be borne out any more, so it is believed when it is near.
            let near = last.is_some_and(|last| {
                held.number > last && u64::from(held.number - last) <= self.table.damaged.saturating_add(1)
            });
            if near || (last.is_none() && self.table.damaged == 0) {
                self.table.add(held.number, held.time);
            } else {
                self.table.leave_out(held.line, &stray(held.number, last));
            }
        }
        self.table.torn = !self.begun.is_empty() || self.too_long;
        self.table.leave_out_times();
        self.table
    }
}

fn stray(number: u32, last: Option<u32>) -> String {
    match last {
        Some(last) => format!("frame {number} stands where frame {} belongs", last.saturating_add(1)),
        None => format!("frame {number} stands where frame 0 belongs"),
    }
}

/// A line without its end, as frame number and time.
fn parse(line: &[u8]) -> Result<(u32, i64), String> {
    let mut values = [0u64; 6];
    let mut columns = line.split(|&byte| byte == b',');
    for (value, name) in values.iter_mut().zip(COLUMNS) {
        let text = columns.next().ok_or_else(|| format!("column {name} is missing"))?;
        *value = number(text).ok_or_else(|| format!("column {name} is no number"))?;
    }
    if columns.next().is_some() {
        return Err("it has more columns than six".into());
    }
    let [frame, .., key, time] = values;
    if key > 1 {
        return Err("column key is neither 0 nor 1".into());
    }
    if time > LAST_US {
        return Err("column time_us lies after the year 9999".into());
    }
    let frame = u32::try_from(frame).map_err(|_| "column frame is too large")?;
    Ok((frame, Wall::from_micros(i64::try_from(time).unwrap_or(i64::MAX)).micros()))
}

fn number(text: &[u8]) -> Option<u64> {
    // Up to 18 digits nothing can overflow.
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let mut value = 0u64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(value)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
