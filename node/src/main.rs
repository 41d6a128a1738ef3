//! `syncslate-node`: parses, runs, says why it ended.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use syncslate_node::settings::{Cli, Settings, Tool};
use syncslate_node::{camera, decode, run};
use syncslate_shared::report::{self, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

fn start(mut cli: Cli) -> Result<(), Failure> {
    match cli.tool.take() {
        Some(Tool::TestCamera(args)) => camera::test::main(&args),
        Some(Tool::ReadPictures(args)) => {
            runtime()?.block_on(decode::print_csv(&args, &mut std::io::stdout().lock())).map_err(Failure::new)
        }
        None => {
            let settings = Settings::new(&cli)?;
            report::start_log();
            let runtime = runtime()?;
            let outcome = runtime.block_on(run::run(settings));
            // A look at a disk that hangs must not keep the program.
            runtime.shutdown_timeout(Duration::from_millis(100));
            outcome
        }
    }
}

/// One worker beside the main thread: pictures are moved by threads of their own.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("no runtime: {e}")))
}
