//! The LED that blinks when somebody asks which computer this is. What it showed before is put back, also when the
//! program ends early.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::time::{Clocks as _, Mono, SystemClocks};

/// For so long it blinks when it was asked to.
pub const BLINKS_FOR: Duration = Duration::from_secs(10);
/// On for so long, then off for so long.
const HALF: Duration = Duration::from_millis(250);
/// The Pi's green LED, by its newer and its older name.
const USUAL: [&str; 2] = ["/sys/class/leds/ACT", "/sys/class/leds/led0"];

/// The LED; cheap to clone.
#[derive(Clone, Debug)]
pub struct Led {
    /// As the settings name it; `None` for the usual ones.
    folder: Option<PathBuf>,
    /// When it is to stop; `None` while it does not blink.
    until: Arc<Mutex<Option<Mono>>>,
}

impl Led {
    /// The LED of this folder in `/sys/class/leds`; `None` for the Pi's own.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, until: Arc::default() }
    }

    /// Lets it blink for `time` from now, or longer when it blinks already. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// There is none, or this program may not switch it.
    pub fn blink(&self, time: Duration) -> Result<(), Refusal> {
        let mut until = lock(&self.until);
        let end = SystemClocks.mono() + time;
        if let Some(until) = until.as_mut() {
            *until = end.max(*until);
            return Ok(());
        }
        let borrowed = Borrowed::take(&self.folder()?)?;
        *until = Some(end);
        tokio::spawn(run(borrowed, Arc::clone(&self.until)));
        Ok(())
    }

    fn folder(&self) -> Result<PathBuf, Refusal> {
        let known =
            self.folder.iter().cloned().chain(USUAL.iter().filter(|_| self.folder.is_none()).map(PathBuf::from));
        let known: Vec<PathBuf> = known.collect();
        known.iter().find(|folder| folder.join("brightness").exists()).cloned().ok_or_else(|| {
            let names = known.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ");
            let hint = "`led` in the node's settings names another one; /sys/class/leds lists them";
            Refusal::new(ErrorCode::NotReady, format!("there is no LED at {names}\n\nhint: {hint}"))
        })
    }
}

fn lock(until: &Mutex<Option<Mono>>) -> MutexGuard<'_, Option<Mono>> {
    until.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(borrowed: Borrowed, until: Arc<Mutex<Option<Mono>>>) {
    let mut on = true;
    loop {
        borrowed.light(on);
        on = !on;
        tokio::time::sleep(HALF).await;
        let mut until = lock(&until);
        if until.is_none_or(|until| SystemClocks.mono() >= until) {
            // Put back before anybody else can borrow it.
            drop(borrowed);
            *until = None;
            return;
        }
    }
}

/// An LED that is ours for a while; dropping it puts back what it showed.
#[derive(Debug)]
struct Borrowed {
    folder: PathBuf,
    /// What drove it: `mmc0` for the card, `none` for nothing.
    trigger: String,
    brightness: String,
    /// The brightness that is on.
    bright: String,
}

impl Borrowed {
    fn take(folder: &Path) -> Result<Self, Refusal> {
        let read = |name: &str| {
            let text = std::fs::read_to_string(folder.join(name));
            text.map(|text| text.trim().to_owned()).map_err(|e| denied(&folder.join(name), "read", &e))
        };
        let bright = read("max_brightness").ok().filter(|most| most.parse::<u32>().is_ok_and(|most| most > 0));
        let borrowed = Self {
            folder: folder.to_owned(),
            trigger: active(&read("trigger")?).to_owned(),
            brightness: read("brightness")?,
            bright: bright.unwrap_or_else(|| "1".into()),
        };
        let path = folder.join("trigger");
        std::fs::write(&path, "none").map_err(|e| denied(&path, "write", &e))?;
        Ok(borrowed)
    }

    fn light(&self, on: bool) {
        self.set("brightness", if on { &self.bright } else { "0" });
    }

    fn set(&self, name: &str, value: &str) {
        let path = self.folder.join(name);
        if let Err(e) = std::fs::write(&path, value) {
            tracing::warn!("cannot write {}: {e}", path.display());
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // The brightness first: writing a 0 into it takes the trigger away again.
        self.set("brightness", &self.brightness);
        self.set("trigger", &self.trigger);
    }
}

/// The trigger that stands in brackets among all that there are.
fn active(text: &str) -> &str {
    let marked = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    marked.map_or(text, |(trigger, _)| trigger)
}

fn denied(path: &Path, what: &str, error: &std::io::Error) -> Refusal {
    let hint =
        "the user of the service must be allowed to, by a udev rule; `led` in the node's settings names another LED";
    Refusal::new(ErrorCode::NotReady, format!("cannot {what} {}: {error}\n\nhint: {hint}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pi(trigger: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("trigger", trigger), ("brightness", "0\n"), ("max_brightness", "255\n")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(folder: &Path, name: &str) -> String {
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    async fn wait_for(what: &str, condition: impl Fn() -> bool) {
        for _ in 0..1000 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain for {what}");
    }

    #[tokio::test]
    async fn it_blinks_and_shows_what_it_showed_before() {
        let folder = pi("none rc-feedback kbd-scrolllock [mmc0] timer heartbeat\n");
        let led = Led::new(Some(folder.path().into()));
        led.blink(Duration::from_millis(300)).unwrap();
        assert_eq!(read(folder.path(), "trigger"), "none");
        // Asked again it blinks on, and still knows what it showed at first.
        led.blink(Duration::from_millis(600)).unwrap();
        wait_for("light", || read(folder.path(), "brightness") == "255").await;
        wait_for("its end", || read(folder.path(), "trigger") == "mmc0").await;
        assert_eq!(read(folder.path(), "brightness"), "0");
        wait_for("its rest", || lock(&led.until).is_none()).await;
        led.blink(Duration::from_millis(1)).unwrap();
        wait_for("its end", || read(folder.path(), "trigger") == "mmc0").await;
    }

    #[test]
    fn it_is_put_back_when_the_program_ends_early() {
        let folder = pi("[none] timer");
        std::fs::write(folder.path().join("brightness"), "31\n").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            Led::new(Some(folder.path().into())).blink(BLINKS_FOR).unwrap();
            wait_for("light", || read(folder.path(), "brightness") == "255").await;
        });
        drop(runtime);
        assert_eq!((read(folder.path(), "brightness"), read(folder.path(), "trigger")), ("31".into(), "none".into()));
    }

    #[tokio::test]
    async fn without_an_led_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = Led::new(Some(folder.path().join("led9"))).blink(BLINKS_FOR).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotReady);
        assert!(refusal.message.contains("led9\n\nhint: `led` in the node's settings"), "{}", refusal.message);
        std::fs::create_dir(folder.path().join("led9")).unwrap();
        std::fs::write(folder.path().join("led9/brightness"), "0").unwrap();
        let refusal = Led::new(Some(folder.path().join("led9"))).blink(BLINKS_FOR).unwrap_err();
        assert!(refusal.message.starts_with("cannot read ") && refusal.message.contains("trigger"), "{refusal}");
    }
}
