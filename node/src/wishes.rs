//! What the controller wishes of this node's camera, laid over the node's own settings: checked, bounded by what the
//! camera can do, and put off while a take rolls. Pure.
//!
//! The camera does not wait for the wishes when the program starts: they come with the first connection, some hundredths
//! of a second later, and a camera that has sent no picture yet loses nothing when it is started again. So a node without
//! a controller arms as fast as ever.

use syncslate_shared::camera::{Can, Key, Settings};
use syncslate_shared::protocol::{Finding, Level};
use syncslate_shared::settings::Bitrate;

use crate::camera::CameraSettings;

/// The wishes, and what became of them.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// As the settings file has it.
    own: CameraSettings,
    can: Option<Can>,
    /// What was said last on `camera/<ip>`.
    heard: Option<Settings>,
    /// What the camera was started with.
    holds: Settings,
    pending: bool,
}

impl Wishes {
    /// None yet, over the node's own settings.
    pub fn new(own: CameraSettings) -> Self {
        Self { can: own.kind.can(), own, heard: None, holds: Settings::default(), pending: false }
    }

    /// Hears all that is wished. Gives what the camera is to be started again with, unless it is set so already; while
    /// `busy` with a take that waits.
    pub fn hear(&mut self, wished: Settings, busy: bool) -> Option<CameraSettings> {
        self.heard = Some(wished);
        self.settle(busy)
    }

    /// Time passed: gives what waited for the end of a take.
    pub fn settle(&mut self, busy: bool) -> Option<CameraSettings> {
        let (holds, _) = self.sift();
        let changed = self.over(&holds) != self.over(&self.holds);
        self.pending = changed && busy;
        if self.pending {
            return None;
        }
        self.holds = holds;
        changed.then(|| self.over(&self.holds))
    }

    /// The camera told what it has to set. What it does not have is given up when the camera is started the next time.
    pub fn on_can(&mut self, can: Can) {
        self.can = Some(can);
    }

    /// What the camera has to set; `None` while that is not known.
    pub fn can(&self) -> Option<&Can> {
        self.can.as_ref()
    }

    /// What of the wishes holds; `None` when none were heard.
    pub fn holds(&self) -> Option<&Settings> {
        self.heard.as_ref().map(|_| &self.holds)
    }

    /// Whether wishes wait for the end of a take.
    pub fn pending(&self) -> bool {
        self.pending
    }

    /// What people should know of them.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |level, code: &str, message, remedy: &str| Finding {
            level,
            code: code.into(),
            message,
            remedy: remedy.into(),
        };
        let mut found = Vec::new();
        if self.pending {
            let message = "other camera settings are wished, and wait for the end of the take".into();
            found.push(finding(Level::Info, "settings_pending", message, ""));
        }
        let (_, refused) = self.sift();
        if !refused.is_empty() {
            let message = format!("the camera cannot be set as wished: {}", refused.join("; "));
            found.push(finding(Level::Warning, "settings_refused", message, "wish something else on the page Cameras"));
        }
        found
    }

    /// What is possible of the wishes, and why the rest is not.
    fn sift(&self) -> (Settings, Vec<String>) {
        let (mut possible, mut refused) = (Settings::default(), Vec::new());
        for (key, value) in self.heard.iter().flat_map(|heard| &heard.0) {
            let widest = Can::widest(&[*key]);
            let checked = widest
                .check(*key, *value)
                .and_then(|()| self.can.as_ref().map_or(Ok(()), |can| can.check(*key, *value)));
            match checked {
                Ok(()) => possible.set(*key, Some(*value)),
                Err(why) => refused.push(why),
            }
        }
        if let Err(why) = possible.fits_rate(self.own.fps) {
            possible.set(Key::ExposureUs, None);
            refused.push(why);
        }
        (possible, refused)
    }

    /// The node's own settings with these over them.
    fn over(&self, wished: &Settings) -> CameraSettings {
        let mut camera = self.own.clone();
        let whole = |key| wished.number(key).map(|n| n as u64);
        let pixels = |key| whole(key).and_then(|n| u32::try_from(n).ok());
        camera.width = pixels(Key::Width).unwrap_or(camera.width);
        camera.height = pixels(Key::Height).unwrap_or(camera.height);
        camera.fps = wished.number(Key::Fps).unwrap_or(camera.fps);
        camera.bitrate = whole(Key::Bitrate).map_or(camera.bitrate, Bitrate);
        for key in Key::ALL.into_iter().filter(|key| key.automatic()) {
            camera.controls.set(key, wished.get(key));
        }
        camera
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::camera::{EncoderChoice, Kind};

    pub(crate) fn camera(kind: &str) -> CameraSettings {
        CameraSettings {
            kind: kind.parse::<Kind>().unwrap(),
            name: "left".into(),
            ip: Ipv4Addr::LOCALHOST,
            width: 1280,
            height: 720,
            fps: 30.0,
            bitrate: Bitrate(8_000_000),
            gop_ms: 500,
            encoder: EncoderChoice::Auto,
            controls: Settings::default(),
            sync: true,
        }
    }

    fn wishes(kind: &str) -> Wishes {
        Wishes::new(camera(kind))
    }

    fn settings(json: Json) -> Settings {
        serde_json::from_value(json).unwrap()
    }

    fn codes(wishes: &Wishes) -> Vec<String> {
        wishes.findings().into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn wishes_go_over_the_settings_file_and_back() {
        let mut wishes = wishes("test");
        let camera =
            wishes.hear(settings(json!({"width": 640, "height": 360, "bitrate": 1_000_000, "gain": 2})), false);
        let camera = camera.unwrap();
        assert_eq!((camera.width, camera.height, camera.fps, camera.bitrate), (640, 360, 30.0, Bitrate(1_000_000)));
        assert_eq!(camera.controls, settings(json!({"gain": 2})));
        assert_eq!(
            wishes.hear(settings(json!({"gain": 2, "height": 360, "width": 640, "bitrate": 1_000_000})), false),
            None
        );
        let own = wishes.hear(Settings::default(), false).unwrap();
        assert_eq!((own.width, own.controls), (1280, Settings::default()));
        // What is as it was starts nothing anew.
        assert_eq!(wishes.hear(settings(json!({"width": 1280})), false), None);
        assert_eq!(wishes.holds(), Some(&settings(json!({"width": 1280}))));
    }

    #[test]
    fn a_take_is_never_torn() {
        let mut wishes = wishes("test");
        assert_eq!(wishes.hear(settings(json!({"fps": 25})), true), None);
        assert_eq!(
            (wishes.pending(), codes(&wishes), wishes.holds()),
            (true, vec!["settings_pending".into()], Some(&Settings::default()))
        );
        assert_eq!(wishes.settle(true), None);
        // The last word counts.
        assert_eq!(wishes.hear(settings(json!({"fps": 50})), true), None);
        assert_eq!(wishes.settle(false).unwrap().fps, 50.0);
        assert_eq!((wishes.pending(), wishes.settle(false)), (false, None));
        // Taken back before the take ended: nothing is left to do.
        wishes.hear(settings(json!({"fps": 24})), true);
        assert_eq!(wishes.hear(settings(json!({"fps": 50})), true), None);
        assert!(!wishes.pending() && codes(&wishes).is_empty());
    }

    #[test]
    fn what_the_camera_cannot_do_is_left_out_and_told() {
        let mut wishes = wishes("test");
        let camera = wishes
            .hear(settings(json!({"width": 640, "height": 64, "focus": 1, "exposure_us": 33_400})), false)
            .unwrap();
        assert_eq!((camera.width, camera.height, camera.controls), (640, 720, Settings::default()));
        let [finding] = &wishes.findings()[..] else { panic!() };
        assert_eq!(
            finding.message,
            "the camera cannot be set as wished: `height`: 64 does not lie between 90 and 8192; \
             `focus`: this camera has no focus to set; `exposure_us`: 33400 µs are longer than a frame lasts at 30 fps, 33333 µs"
        );
        assert_eq!(wishes.holds(), Some(&settings(json!({"width": 640}))));
    }

    #[test]
    fn a_camera_that_has_not_told_yet_is_asked_for_all() {
        let mut wishes = wishes("rpicam");
        assert_eq!(wishes.can(), None);
        assert_eq!(wishes.hear(settings(json!({"focus": 1})), false).unwrap().controls, settings(json!({"focus": 1})));
        wishes.on_can(Can::widest(&[Key::Gain]));
        assert_eq!(codes(&wishes), ["settings_refused"]);
        assert_eq!(wishes.settle(false).unwrap().controls, Settings::default());
    }
}
