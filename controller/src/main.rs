//! The controller's program: reads its settings, runs until it is told to end, says why when it cannot.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use syncslate_controller::accounts::hash_password;
use syncslate_controller::check::check;
use syncslate_controller::console::{self, Ask};
use syncslate_controller::exports::{self, Extra, Wish};
use syncslate_controller::reports;
use syncslate_controller::run::Controller;
use syncslate_controller::settings::{Args, Job, Settings};
use syncslate_controller::verify::{self, Scope};
use syncslate_controller::web;
use syncslate_report::Verdict;
use syncslate_shared::report::{Failure, chain, start_log};
use syncslate_shared::systemd::Systemd;
use syncslate_shared::take::{Stamp, TakeName};
use syncslate_shared::time::{Clocks as _, SystemClocks};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Work that cannot be broken off (hashing a file) gets this long at the end.
const GRACE: Duration = Duration::from_millis(200);
/// Open pages hold their event streams; they come back by themselves.
const PAGE_GRACE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let args = Args::parse();
    start_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return Failure::new(format!("cannot start: {}", chain(&e))).exit(),
    };
    let outcome = runtime.block_on(run(args));
    runtime.shutdown_timeout(GRACE);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let job = args.job.clone();
    let settings = || Settings::load(args, |name| std::env::var(name).ok());
    match job {
        None => control(settings()?).await,
        Some(Job::Check { take }) => {
            let settings = settings()?;
            let work = move || check(&settings.downloads, take.as_ref(), &mut std::io::stdout().lock());
            let report = tokio::task::spawn_blocking(work).await.map_err(|e| Failure::new(e.to_string()))??;
            let failure = || Failure::new(format!("{} files differ", report.different.len()));
            if report.different.is_empty() { Ok(()) } else { Err(failure()) }
        }
        Some(Job::Download { take, stamp, delete_after_verify, cancel }) => {
            let ask = match (cancel, delete_after_verify) {
                (true, _) => Ask::Cancel,
                (false, true) => Ask::FetchAndDelete,
                (false, false) => Ask::Fetch,
            };
            console::download(&settings()?, &take, stamp.as_ref(), ask).await
        }
        Some(Job::Report { take, stamp }) => {
            let settings = settings()?;
            let limits = settings.report.limits;
            let out = || std::io::stdout().lock();
            let work = move || reports::tell(&settings.downloads, &take, stamp.as_ref(), &limits, &mut out());
            let verdict = tokio::task::spawn_blocking(work).await.map_err(|e| Failure::new(e.to_string()))??;
            let failure = || Failure::new("the verdict is red").hint("the lines above say why");
            if verdict == Verdict::Red { Err(failure()) } else { Ok(()) }
        }
        Some(Job::Verify { take, stamp, all }) => compare(&settings()?, &take, stamp.as_ref(), all).await,
        Some(Job::Export { take, stamp, to, conform, proxies }) => {
            let settings = settings()?;
            let work = move || {
                let extra = Extra { conform, proxies };
                let wish = Wish { take: &take, stamp: stamp.as_ref(), to: to.as_deref(), extra };
                exports::tell(&settings.downloads, settings.export, &wish)
            };
            tokio::task::spawn_blocking(work).await.map_err(|e| Failure::new(e.to_string()))?
        }
        Some(Job::Cleanup { take, stamp, yes }) => {
            console::cleanup(&settings()?, take.as_ref(), stamp.as_ref(), yes).await
        }
        Some(Job::HashPassword) => hash_password(),
    }
}

async fn compare(settings: &Settings, take: &TakeName, stamp: Option<&Stamp>, all: bool) -> Result<(), Failure> {
    let parallel = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let scope = Scope { window_s: (!all).then_some(Scope::USUAL_S), parallel };
    let (limits, now) = (settings.report.limits, SystemClocks.wall());
    let out = &mut std::io::stdout().lock();
    let verdict = verify::tell(&settings.downloads, (take, stamp), scope, &limits, now, out).await?;
    let failure = || Failure::new("stamps and light differ").hint("the lines above say where");
    if verdict == syncslate_slate::model::Verdict::Differs { Err(failure()) } else { Ok(()) }
}

async fn control(settings: Settings) -> Result<(), Failure> {
    let mut end = End::listen()?;
    let downloads = settings.downloads.clone();
    let controller = Controller::start(settings, Arc::new(SystemClocks)).await?;
    let (close, closed) = oneshot::channel::<()>();
    let shut = async move { drop(closed.await) };
    let (address, page) = web::serve(controller.http(), controller.door().clone(), shut).await?;
    let page = tokio::spawn(page);
    tracing::info!("the page is at http://{address}");
    tracing::info!("MQTT at {}, footage in {}", controller.mqtt(), downloads.display());
    let systemd = Systemd::from_env();
    systemd.ready();
    let which = end.wait().await;
    systemd.stopping();
    tracing::info!("{which}: ending; a take that rolls goes on");
    let stop = async {
        drop(close);
        let _ = timeout(PAGE_GRACE, page).await;
        controller.stop().await;
    };
    tokio::select! {
        () = stop => Ok(()),
        which = end.wait() => Err(Failure::new(format!("{which} again: ended at once"))),
    }
}

/// The signals to end.
struct End {
    interrupt: Signal,
    terminate: Signal,
}

impl End {
    fn listen() -> Result<Self, Failure> {
        let open = |kind| signal(kind).map_err(|e| Failure::new(format!("cannot listen for signals: {e}")));
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())? })
    }

    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
