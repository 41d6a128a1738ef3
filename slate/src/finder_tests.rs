//! The decoder on pictures of which everything is known: perspective, blur, noise, light, refreshes, fingers, nonsense.

use proptest::prelude::*;

use super::*;
use crate::film::{Camera, Chance, Shown};
use crate::layout::Word;

const PERIOD: f64 = 1000.0 / 60.0;
const BEGUN: u32 = 7_654_321;

fn shown(k: u32) -> Shown {
    Shown::at(k, BEGUN, PERIOD, 0xb7)
}

fn drawn(k: u32) -> u32 {
    BEGUN + (f64::from(k) * PERIOD).round() as u32
}

fn look(camera: &Camera, shown: &Shown) -> Option<Sight> {
    Finder::default().look(&camera.luma(&camera.shoot(shown)))
}

/// All fields of refresh `k`.
#[track_caller]
fn expect_read(what: &str, camera: &Camera, k: u32) {
    let sight = look(camera, &shown(k)).unwrap_or_else(|| panic!("{what}: no slate was found"));
    let mut times: Vec<_> = sight.fields.iter().flatten().copied().collect();
    times.sort_unstable();
    assert_eq!(times, (k - 3..=k).map(drawn).collect::<Vec<_>>(), "{what}: {sight:?}");
    assert_eq!((sight.session, sight.newest()), (0xb7, Some((k as usize % 4, drawn(k)))), "{what}");
}

#[test]
fn turned_in_every_direction() {
    for degrees in (0..360).step_by(15) {
        expect_read(&format!("{degrees}°"), &Camera::turned(5.0, f64::from(degrees)), 40 + degrees / 15);
    }
}

#[test]
fn small_but_sharp_and_large_but_blurred() {
    for (module_px, blur) in [(2.2, 0.4), (2.5, 0.8), (4.0, 1.6), (6.0, 2.4), (8.0, 3.2)] {
        for degrees in [0.0, 7.0, 44.0] {
            let camera = Camera { blur, ..Camera::turned(module_px, degrees) };
            expect_read(&format!("{module_px} pixels a module, blur {blur}, {degrees}°"), &camera, 91);
        }
    }
}

#[test]
fn from_the_side() {
    let corners = [
        [[70.0, 30.0], [250.0, 70.0], [250.0, 160.0], [70.0, 215.0]],
        [[110.0, 60.0], [215.0, 62.0], [260.0, 190.0], [60.0, 200.0]],
        [[60.0, 80.0], [190.0, 25.0], [265.0, 140.0], [140.0, 220.0]],
    ];
    for (i, corners) in corners.into_iter().enumerate() {
        expect_read(&format!("view {i}"), &Camera { corners, ..Camera::default() }, 77 + i as u32);
    }
}

#[test]
fn in_bad_light() {
    let camera = Camera::turned(5.0, 11.0);
    let lights = [
        ("dark", Camera { white: [62.0; 2], black: 20.0, around: 24.0, noise: 3.0, ..camera.clone() }),
        ("overexposed", Camera { white: [400.0; 2], black: 60.0, around: 120.0, blur: 1.2, ..camera.clone() }),
        ("lit from the right", Camera { white: [70.0, 330.0], black: 15.0, around: 40.0, ..camera.clone() }),
        ("before a bright wall", Camera { white: [150.0; 2], black: 40.0, around: 235.0, ..camera.clone() }),
        ("noisy", Camera { noise: 24.0, white: [200.0; 2], ..camera.clone() }),
        ("faint", Camera { white: [120.0; 2], black: 90.0, around: 100.0, noise: 2.0, ..camera }),
    ];
    for (what, camera) in lights {
        expect_read(what, &camera, 63);
    }
}

/// The conditions of `design/slate.md` under which every picture is read.
#[test]
fn as_hard_as_the_document_says() {
    let shown = shown(57);
    for turn in [0.0, 34.6, 103.8, 222.0] {
        let at = |module_px| Camera::turned(module_px, turn);
        let plain = [
            ("small", Camera { blur: 0.5, noise: 3.0, ..at(1.7) }),
            ("blurred", Camera { blur: 2.4, noise: 3.0, ..at(4.8) }),
            ("grainy", Camera { noise: 40.0, ..at(2.5) }),
            ("from the side", Camera { noise: 3.0, ..Camera::leaning(4.0, turn, 60.0) }),
            ("pale", Camera { white: [72.0; 2], black: 60.0, around: 62.0, noise: 2.0, ..at(5.0) }),
            ("overexposed", Camera { white: [600.0; 2], black: 60.0, blur: 1.2, ..at(5.0) }),
        ];
        let steady = Camera { noise: 3.0, white: [180.0; 2], ..at(5.0) };
        let pixels = steady.shoot(&shown);
        let bands = |_: f64, y: f64, light: f64| light * (0.8 + 0.2 * (y / 80.0 * std::f64::consts::TAU).sin());
        let lamp = |x: f64, y: f64, light: f64| {
            light + 60.0 * (-((x - 150.0).powi(2) + (y - 130.0).powi(2)) / 2.0 / 400.0).exp()
        };
        let spoiled = [
            ("moving", steady.moved(&pixels, 7)),
            ("in bands", steady.lit(&pixels, bands)),
            ("with a lamp in it", steady.lit(&pixels, lamp)),
        ];
        let taken = plain.iter().map(|(what, camera)| (*what, camera.shoot(&shown)));
        for (what, pixels) in taken.chain(spoiled) {
            let sight = Finder::default().look(&steady.luma(&pixels));
            let newest = sight.and_then(|sight| sight.newest()).map(|(_, ms)| ms);
            assert_eq!(newest, Some(drawn(57)), "{what}, turned by {turn}°");
        }
    }
}

#[test]
fn in_a_mirror() {
    let camera = Camera::turned(4.0, 20.0);
    let mut pixels = camera.shoot(&shown(50));
    pixels.chunks_exact_mut(320).for_each(<[u8]>::reverse);
    let mut finder = Finder::default();
    for _ in 0..2 {
        // Found, and then followed.
        assert_eq!(finder.look(&camera.luma(&pixels)).unwrap().newest(), Some((2, drawn(50))));
    }
}

#[test]
fn an_exposure_across_a_refresh_shows_one_of_the_two() {
    for k in 20..28 {
        for share in 0..=20 {
            let blend = shown(k).blend(&shown(k + 1), f64::from(share) / 20.0);
            let sight = look(&Camera::turned(4.0, 5.0), &blend).expect("a slate");
            let (_, newest) = sight.newest().unwrap();
            assert!(newest == drawn(k) || newest == drawn(k + 1), "{newest}");
            let still = sight.fields.iter().flatten().filter(|ms| **ms <= drawn(k)).count();
            assert!(still >= 3, "only one field changes: {sight:?}");
            if still == 3 && newest == drawn(k) {
                assert_eq!(sight.changing(), 1, "what cannot be read is due next: {sight:?}");
            }
            assert!(share > 6 || newest == drawn(k), "{share} of 20");
            assert!(share < 14 || newest == drawn(k + 1), "{share} of 20");
        }
    }
}

#[test]
fn a_long_exposure_is_read_as_its_middle() {
    // 1/30 s at 60 refreshes a second, beginning late in refresh 30: a quarter of it, then all of 31, then a part of 32.
    for (first, last) in [(0.25, 0.25), (0.45, 0.05), (0.05, 0.45), (0.5, 0.0)] {
        let early = shown(30).blend(&shown(31), 0.5 / (first + 0.5));
        let sight = look(&Camera::turned(4.0, 5.0), &early.blend(&shown(32), last)).expect("a slate");
        assert!(sight.fields.iter().flatten().count() >= 2, "{sight:?}");
        let (newest, changing) = (sight.newest().unwrap().1, sight.changing());
        // The middle lies in refresh 31; the interval of what was read has it.
        let from = (30..=31).find(|k| drawn(*k) == newest).unwrap();
        assert!((from..=from + changing as u32).contains(&31), "{first} and {last}: {sight:?}");
    }
}

#[test]
fn a_rolling_shutter_that_a_refresh_overtakes() {
    let camera = Camera::turned(5.0, 0.0);
    let (before, after) = (camera.shoot(&shown(44)), camera.shoot(&shown(45)));
    for row in (0..240).step_by(7) {
        // Rows above were read before the refresh, rows below after it.
        let pixels: Vec<u8> = before[..row * 320].iter().chain(&after[row * 320..]).copied().collect();
        let sight = Finder::default().look(&camera.luma(&pixels)).expect("a slate");
        let (_, newest) = sight.newest().unwrap();
        assert!(newest == drawn(44) || newest == drawn(45), "{newest}");
    }
}

#[test]
fn what_a_finger_covers_is_not_read_and_the_rest_is() {
    let camera = Camera::turned(5.0, 3.0);
    // Over the lower right field.
    let sight = look(&camera, &shown(52).cover(15..19, 15..19)).unwrap();
    assert_eq!(sight.fields[2], None);
    assert_eq!(sight.fields.iter().flatten().count(), 3);
    // Over a corner.
    assert_eq!(look(&camera, &shown(52).cover(3..9, 3..9)), None);
}

#[test]
fn it_is_followed_as_it_moves_and_found_again_when_it_was_away() {
    let mut finder = Finder::default();
    for k in 10..70 {
        let mut camera = Camera::turned(4.0, f64::from(k));
        camera.corners.iter_mut().for_each(|corner| corner[0] += f64::from(k % 7) * 2.0);
        let away = (30..36).contains(&k);
        let shown = if away { shown(k).cover(0..26, 0..26) } else { shown(k) };
        let sight = finder.look(&camera.luma(&camera.shoot(&shown)));
        assert_eq!(sight.and_then(|sight| sight.newest()).map(|(_, ms)| ms), (!away).then(|| drawn(k)), "{k}");
    }
}

#[test]
fn no_picture_without_a_slate_has_one() {
    let (width, height) = (160, 120);
    let mut chance = Chance(3);
    for n in 0..150 {
        // Blocks of all sizes, bright areas with dark things in them, noise.
        let block = 1 + n % 13;
        let mut pixels = vec![0_u8; width * height];
        let values: Vec<u8> = (0..width * height).map(|_| (chance.next() * 255.0) as u8).collect();
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = (i % width / block, i / width / block);
            let bright = (30..130).contains(&(i % width)) && (10..110).contains(&(i / width));
            let value = values[y * width + x];
            *pixel = if n % 2 == 0 && bright && value < 190 { 255 } else { value };
        }
        assert_eq!(Finder::default().look(&Luma::new(width, height, &pixels).unwrap()), None);
    }
}

#[test]
fn a_card_that_says_nonsense_is_refused_by_its_checksum() {
    // A field that says nonsense is taken for true once in 65536; here 4 fields of 400 cards, sharpened two more times.
    let camera = Camera { noise: 0.0, size: [110, 110], ..Camera::default() };
    let camera = Camera { corners: [[3.0, 3.0], [107.0, 3.0], [107.0, 107.0], [3.0, 107.0]], ..camera };
    let mut chance = Chance(11);
    let mut believed = 0;
    for n in 0..400 {
        let mut word = || Word { ms: (chance.next() * 16e6) as u32, session: (chance.next() * 255.0) as u8 };
        let words = [word(), word(), word(), word()];
        // Modules of one field in the place of another's: every field is nonsense, the marks are as they should be.
        let mut shown = Shown::words(words);
        shown.shuffle(n);
        believed += usize::from(look(&camera, &shown).is_some());
    }
    assert!(believed <= 1, "{believed} of 400");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_read_is_true(
        k in 8u32..100_000, module_px in 1.2..6.0f64, degrees in 0.0..360.0f64, blur in 0.2..4.0f64,
        noise in 0.0..40.0f64, white in 40.0..300.0f64, share in 0.0..1.0f64, seed in any::<u64>(),
    ) {
        let camera = Camera { blur, noise, white: [white; 2], seed, ..Camera::turned(module_px, degrees) };
        if let Some(sight) = look(&camera, &shown(k).blend(&shown(k + 1), share)) {
            let (_, newest) = sight.newest().unwrap();
            prop_assert!((k - 3..=k + 1).map(drawn).any(|ms| ms == newest), "{newest}");
        }
    }

    #[test]
    fn no_picture_makes_it_panic(
        width in 1usize..70, height in 1usize..70, seed in any::<u64>(), level in 0u8..=255, grain in 1usize..9,
    ) {
        let mut chance = Chance(seed);
        let noise: Vec<u8> = (0..width * height).map(|_| (chance.next() * 255.0) as u8).collect();
        let pixels: Vec<u8> = (0..width * height).map(|i| noise[i / grain].max(level)).collect();
        let mut finder = Finder::default();
        for _ in 0..2 {
            prop_assert_eq!(finder.look(&Luma::new(width, height, &pixels).unwrap()), None);
        }
    }

    #[test]
    fn no_marks_make_it_panic(points in proptest::array::uniform4(proptest::array::uniform2(-1e9..1e9f64))) {
        let pixels = vec![90; 400];
        let luma = Luma::new(20, 20, &pixels).unwrap();
        prop_assert_eq!(by_marks(&luma, &points), None);
        prop_assert_eq!(by_outline(&luma, &points), None);
        prop_assert_eq!(by_marks(&luma, &points.map(|p| p.map(|_| f64::NAN))), None);
    }

    #[test]
    fn time_goes_on_over_the_end_of_the_cycle(a in 0u32..1 << 24, by in -8_000_000i64..8_000_000) {
        let b = (i64::from(a) - by).rem_euclid(CYCLE_MS) as u32;
        prop_assert_eq!(apart(a, b), by);
    }
}
