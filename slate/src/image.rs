//! A picture's brightness. Pure.

/// A point in a picture: pixels from the upper left corner of the upper left pixel, whose middle is (0.5, 0.5).
pub type Point = [f64; 2];

/// The luma plane of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Luma<'a> {
    width: usize,
    height: usize,
    pixels: &'a [u8],
}

impl<'a> Luma<'a> {
    /// A picture of this size; `None` when there are not as many pixels, or none.
    pub fn new(width: usize, height: usize, pixels: &'a [u8]) -> Option<Self> {
        let fits = width > 0 && height > 0 && width.checked_mul(height) == Some(pixels.len());
        fits.then_some(Self { width, height, pixels })
    }

    /// Its width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Its height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The rows from the top.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'a [u8]> {
        self.pixels.chunks_exact(self.width)
    }

    /// The brightness at a point between four pixels; beyond the edge that of the edge.
    pub(crate) fn sample(&self, [x, y]: Point) -> f64 {
        let (x, y) = (x - 0.5, y - 0.5);
        let (column, row) = (x.floor(), y.floor());
        let (right, low) = (x - column, y - row);
        let at = |dx: f64, dy: f64| f64::from(self.pixel(column + dx, row + dy));
        let top = at(0.0, 0.0) * (1.0 - right) + at(1.0, 0.0) * right;
        let bottom = at(0.0, 1.0) * (1.0 - right) + at(1.0, 1.0) * right;
        top * (1.0 - low) + bottom * low
    }

    /// The casts saturate: what is no number is 0.
    fn pixel(&self, x: f64, y: f64) -> u8 {
        let (x, y) = ((x as usize).min(self.width - 1), (y as usize).min(self.height - 1));
        self.pixels.get(y * self.width + x).copied().unwrap_or(0)
    }

    /// Whether a point lies in the picture.
    pub(crate) fn holds(&self, [x, y]: Point) -> bool {
        (0.0..=self.width as f64).contains(&x) && (0.0..=self.height as f64).contains(&y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_pixels_lies_their_mean_and_beyond_the_edge_the_edge() {
        let luma = Luma::new(2, 2, &[0, 100, 200, 40]).unwrap();
        assert_eq!(luma.sample([0.5, 0.5]), 0.0);
        assert_eq!(luma.sample([1.0, 0.5]), 50.0);
        assert_eq!(luma.sample([1.0, 1.0]), 85.0);
        assert_eq!((luma.sample([-9.0, -9.0]), luma.sample([99.0, 99.0])), (0.0, 40.0));
        assert!(luma.sample([f64::NAN, 0.5]).is_nan() && !luma.holds([f64::NAN, 0.5]));
    }

    #[test]
    fn a_picture_has_as_many_pixels_as_it_says() {
        assert!(Luma::new(2, 2, &[0; 3]).is_none() && Luma::new(0, 0, &[]).is_none());
        assert!(Luma::new(usize::MAX, 2, &[0; 3]).is_none());
    }
}
