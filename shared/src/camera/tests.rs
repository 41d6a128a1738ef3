use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;

fn changes(json: Json) -> Result<Changes, String> {
    let Json::Object(map) = json else { panic!("an object") };
    Changes::read(&map)
}

fn settings(json: Json) -> Settings {
    serde_json::from_value(json).unwrap()
}

#[test]
fn each_bad_value_is_refused_with_its_name_and_range() {
    let table = [
        (json!({"width": 641}), "`width`: 641 is no even number of pixels"),
        (json!({"width": 8}), "`width`: 8 does not lie between 16 and 8192"),
        (json!({"width": 640.001}), "`width`: 640.001 is no even number of pixels"),
        (json!({"height": "720"}), "`height`: \"720\" does not lie between 16 and 8192"),
        (json!({"height": -2}), "`height`: -2 does not lie between 16 and 8192"),
        (json!({"fps": 0.5}), "`fps`: 0.5 does not lie between 1 and 240"),
        (json!({"fps": "auto"}), "`fps`: \"auto\" does not lie between 1 and 240"),
        (json!({"bitrate": 9_999}), "`bitrate`: 9999 does not lie between 10000 and 1000000000"),
        (json!({"exposure_us": 0}), "`exposure_us`: 0 does not lie between 1 and 1000000"),
        (json!({"exposure_us": 10.5}), "`exposure_us`: 10.5 is no whole number"),
        (json!({"gain": 65}), "`gain`: 65 does not lie between 1 and 64"),
        (json!({"gain": true}), "`gain`: true does not lie between 1 and 64"),
        (json!({"awb": "moonlight"}), "`awb`: \"moonlight\" is no light: auto, incandescent, tungsten"),
        (json!({"awb": 3}), "`awb`: 3 is no light and no pair of gains up to 32"),
        (json!({"awb": {"red": 1}}), "`awb`: {\"red\":1} is not {\"red\":…,\"blue\":…} with numbers up to 32"),
        (json!({"awb": {"red": 1, "blue": 33}}), "`awb`: red 1, blue 33 does not lie between 0.001 and 32"),
        (json!({"focus": 32.5}), "`focus`: 32.5 does not lie between 0 and 32"),
        (
            json!({"zoom": 2}),
            "a camera has no setting `zoom`: width, height, fps, bitrate, exposure_us, gain, awb, focus are known",
        ),
    ];
    for (json, message) in table {
        let error = changes(json.clone()).unwrap_err();
        assert!(error.starts_with(message), "{json}: {error}");
    }
}

#[test]
fn changes_are_laid_over_what_was_wished() {
    let before = settings(json!({"width": 1280, "gain": 2.5, "awb": "daylight"}));
    let change = changes(json!({"width": 640, "gain": null, "awb": "auto", "focus": 0.25, "fps": 29.97})).unwrap();
    let after = before.changed(&change);
    assert_eq!(serde_json::to_value(&after).unwrap(), json!({"width": 640, "fps": 29.97, "focus": 0.25}));
    assert_eq!(after.changed(&Changes::forget()), Settings::default());
    assert_eq!(after.words(), "width 640, frame rate 29.97 fps, focus 0.25 dioptres");
}

#[test]
fn a_value_is_shown_with_its_unit() {
    let table = [
        (Key::Bitrate, 8_000_000.0, "8 Mbit/s"),
        (Key::Bitrate, 2_500_000.0, "2.5 Mbit/s"),
        (Key::Bitrate, 250_000.0, "250 kbit/s"),
        (Key::ExposureUs, 10_000.0, "1/100 s (10000 µs)"),
        (Key::Gain, 1.25, "1.25"),
    ];
    for (key, n, text) in table {
        assert_eq!(key.show(Value::number(n).unwrap()), text);
    }
    assert_eq!(Value::number(f64::NAN).or(Value::number(-0.1)).or(Value::number(f64::INFINITY)), None);
}

#[test]
fn a_sensor_that_rounds_has_what_was_wished() {
    let wished =
        settings(json!({"exposure_us": 10_000, "gain": 4, "awb": {"red": 2.1, "blue": 1.4}, "fps": 30, "focus": 2}));
    let near =
        json!({"exposure_us": 9_979, "gain": 4.055, "awb": {"red": 2.099, "blue": 1.4}, "fps": 30.003, "focus": 2.05});
    assert_eq!(wished.missed(&settings(near)), []);
    let far = settings(json!({"exposure_us": 9_700, "gain": 4.2, "awb": {"red": 2.2, "blue": 1.4}, "fps": 29.97}));
    let missed: Vec<Key> = wished.missed(&far).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(missed, [Key::Fps, Key::ExposureUs, Key::Gain, Key::Awb]);
    assert_eq!(settings(json!({"awb": "cloudy"})).missed(&far), [], "a camera does not tell the light");
}

#[test]
fn a_camera_refuses_what_it_does_not_have() {
    let mut can = Can::widest(&[Key::Width, Key::Gain]);
    can.0.insert(Key::Gain, Range { from: Milli::whole(1), to: Milli(22_260) });
    assert_eq!(can.check(Key::Gain, Value::number(22.26).unwrap()), Ok(()));
    assert_eq!(
        can.check(Key::Gain, Value::number(23.0).unwrap()).unwrap_err(),
        "`gain`: 23 does not lie between 1 and 22.26"
    );
    assert_eq!(
        can.check(Key::Focus, Value::number(1.0).unwrap()).unwrap_err(),
        "`focus`: this camera has no focus to set"
    );
}

#[test]
fn an_exposure_is_no_longer_than_a_frame() {
    let wished = settings(json!({"exposure_us": 33_333}));
    assert_eq!(wished.fits_rate(30.0), Ok(()));
    assert!(wished.fits_rate(50.0).unwrap_err().contains("33333 µs are longer than a frame lasts at 50 fps, 20000 µs"));
    let slower = wished.changed(&changes(json!({"fps": 25})).unwrap());
    assert_eq!(slower.fits_rate(50.0), Ok(()));
}

#[test]
fn settings_of_a_later_version_are_read_as_far_as_they_are_known() {
    let read = settings(json!({"width": 640, "zoom": {"x": 1}, "gain": null}));
    assert_eq!(serde_json::to_value(&read).unwrap(), json!({"width": 640}));
    let can: Can =
        serde_json::from_value(json!({"zoom": {"from": 0, "to": 1}, "gain": {"from": 1, "to": 22.26}})).unwrap();
    assert_eq!(serde_json::to_value(&can).unwrap(), json!({"gain": {"from": 1, "to": 22.26}}));
    // What a camera says of itself may lie outside of what may be wished.
    assert_eq!(settings(json!({"gain": 99.5})).number(Key::Gain), Some(99.5));
}

fn any_value() -> impl Strategy<Value = (Key, Value)> {
    let number = |key: Key, n: u64| {
        let Range { from, to } = key.range();
        let step = match key {
            Key::Width | Key::Height => 2000,
            Key::Bitrate | Key::ExposureUs => 1000,
            _ => 1,
        };
        Milli(from.0 + n % ((to.0 - from.0) / step) * step)
    };
    (0usize..8, any::<u64>(), any::<u64>(), 0usize..12).prop_map(move |(key, a, b, light)| {
        let key = Key::ALL[key];
        let value = match (key, light) {
            (Key::Awb, 0..6) => Value::Light(Light::ALL[light]),
            (Key::Awb, _) => Value::Gains { red: number(key, a), blue: number(key, b) },
            _ => Value::Number(number(key, a)),
        };
        (key, value)
    })
}

proptest! {
    #[test]
    fn settings_survive_their_json(all in proptest::collection::vec(any_value(), 0..9)) {
        let settings = Settings(all.into_iter().collect());
        let json = serde_json::to_value(&settings).unwrap();
        let read: Settings = serde_json::from_value(json.clone()).unwrap();
        prop_assert_eq!(&read, &settings);
        let Json::Object(map) = json else { panic!() };
        prop_assert_eq!(Changes::read(&map), Ok(Changes::from(settings.clone())));
        prop_assert_eq!(settings.missed(&settings), []);
    }

    #[test]
    fn no_wish_makes_the_reader_panic(name in "width|fps|awb|gain|\\PC{0,9}", text in "\\PC{0,20}", n in any::<f64>()) {
        for json in [json!(text), json!(n), json!({"red": n, "blue": text})] {
            let _ = Changes::read(&Map::from_iter([(name.clone(), json)]));
        }
    }
}
