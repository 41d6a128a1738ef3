//! The broker alone, for measuring and for trying other clients on it: prints its address, ends when its input ends.
#![allow(clippy::print_stdout, reason = "a program for measuring")]

use std::io::Read;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned()).parse()?;
    let mut config = syncslate_broker::Config::new(([127, 0, 0, 1], port).into());
    config.websocket = Some(([127, 0, 0, 1], 0).into());
    let mut broker = syncslate_broker::start(config).await?;
    println!("{}", broker.addr());
    if let Some(addr) = broker.websocket_addr() {
        println!("ws://{addr}/mqtt");
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::pin!(ended);
    loop {
        tokio::select! {
            _ = &mut ended => break,
            _ = broker.events().recv() => {}
        }
    }
    broker.stop().await;
    Ok(())
}
