//! Words of command lines and settings: times, addresses, bit rates, cameras.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_node::camera::test::Options;
use syncslate_node::camera::{Kind, fps_ratio};
use syncslate_shared::settings::{Bitrate, BrokerAddress};
use syncslate_shared::time::Wall;

fuzz_target!(|text: &str| {
    if let Ok(time) = Wall::parse(text) {
        assert_eq!(Wall::parse(&time.to_string()), Ok(time));
    }
    if let Ok(broker) = text.parse::<BrokerAddress>() {
        assert_eq!(broker.to_string().parse(), Ok(broker));
    }
    if let Ok(Bitrate(rate)) = text.parse() {
        assert_eq!(rate.to_string().parse(), Ok(Bitrate(rate)));
    }
    let _ = text.parse::<Kind>();
    let _ = text.parse::<Options>();
    if let Ok(fps) = text.parse::<f64>()
        && (1.0..=240.0).contains(&fps)
    {
        let (num, den) = fps_ratio(fps);
        assert!((f64::from(num) / f64::from(den) - fps).abs() < 0.005);
    }
});
