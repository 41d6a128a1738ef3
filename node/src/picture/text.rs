//! Text in a luma plane: a font of 8x8 dots, each dot a square of `scale` pixels. Pure.

use font8x8::legacy::{BASIC_LEGACY, LATIN_LEGACY};

/// Dots of a character, across and down.
pub(super) const DOTS: usize = 8;

/// A line of text at a fixed place, which redraws only the characters that changed.
#[derive(Clone, Debug)]
pub(super) struct Line {
    x: usize,
    y: usize,
    scale: usize,
    /// At most this many characters are drawn.
    room: usize,
    shown: Vec<char>,
}

/// The luma of letters and of what lies behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    pub(super) letters: u8,
    pub(super) paper: u8,
}

impl Line {
    /// A line that begins at pixel (`x`, `y`), with room for `room` characters.
    pub(super) fn new(x: usize, y: usize, scale: usize, room: usize) -> Self {
        Self { x, y, scale, room, shown: Vec::new() }
    }

    /// Shows `text` instead of what the line showed.
    pub(super) fn show(&mut self, luma: &mut [u8], width: usize, text: &str, ink: Ink) {
        let mut before = std::mem::take(&mut self.shown).into_iter();
        for (n, c) in text.chars().take(self.room).enumerate() {
            self.shown.push(c);
            if before.next() != Some(c) {
                let x = self.x + n * DOTS * self.scale;
                draw(luma, width, (x, self.y), self.scale, glyph(c), ink);
            }
        }
    }
}

/// The dots of a character; a `?` for those that the font does not have.
fn glyph(c: char) -> [u8; DOTS] {
    let code = c as usize;
    let found = BASIC_LEGACY.get(code).or_else(|| LATIN_LEGACY.get(code.checked_sub(0xA0)?));
    found.or(BASIC_LEGACY.get('?' as usize)).copied().unwrap_or_default()
}

/// Draws one character; what would lie outside the plane is left out.
fn draw(luma: &mut [u8], width: usize, (x, y): (usize, usize), scale: usize, glyph: [u8; DOTS], ink: Ink) {
    for (row, dots) in glyph.into_iter().enumerate() {
        for line in (y + row * scale)..(y + (row + 1) * scale) {
            let start = line * width + x;
            let Some(pixels) = luma.get_mut(start..start + DOTS * scale) else { return };
            for (column, dot) in pixels.chunks_exact_mut(scale).enumerate() {
                dot.fill(if dots & (1 << column) == 0 { ink.paper } else { ink.letters });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INK: Ink = Ink { letters: 200, paper: 30 };

    fn picture(text: &str) -> String {
        let mut luma = [30; 32 * 8];
        Line::new(0, 0, 1, 4).show(&mut luma, 32, text, INK);
        let rows = luma.chunks(32).map(|row| row.iter().map(|&p| if p == 200 { '#' } else { ' ' }).collect::<String>());
        rows.map(|row| row.trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn letters_are_the_right_way_round() {
        assert_eq!(
            picture("FL7"),
            "\
####### ####    ######
 ##   #  ##     ##  ##
 ## #    ##         ##
 ####    ##        ##
 ## #    ##   #   ##
 ##      ##  ##   ##
####    #######   ##

"
        );
    }

    #[test]
    fn a_letter_that_the_font_lacks_is_a_question_mark() {
        assert_eq!(picture("漢"), picture("?"));
        assert_ne!(picture("é"), picture("?"));
    }

    #[test]
    fn only_what_changed_is_drawn_again() {
        let mut luma = vec![30; 32 * 8];
        let mut line = Line::new(0, 0, 1, 4);
        line.show(&mut luma, 32, "1234", INK);
        luma.fill(77);
        line.show(&mut luma, 32, "1235", INK);
        let touched: Vec<usize> = (0..32 * 8).filter(|&n| luma[n] != 77).map(|n| n % 32 / 8).collect();
        assert!(touched.len() == 64 && touched.iter().all(|&column| column == 3));
    }
}
