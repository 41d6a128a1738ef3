//! Passwords: checked off the async threads, one at a time for each address, and a wrong one costs a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::accounts::Accounts;
use crate::lock::lock;
use crate::rights::Role;

/// Two cores' worth of hashing at one time, whoever asks.
const AT_ONCE: usize = 2;
/// What a wrong password costs. Whoever guesses from one address gets one guess in this time.
const PENALTY: Duration = Duration::from_secs(1);
/// Who waits longer than this for his turn is refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// Slows down guessing.
#[derive(Debug)]
pub(crate) struct Door {
    turns: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    hashing: Semaphore,
}

impl Default for Door {
    fn default() -> Door {
        Door { turns: Mutex::default(), hashing: Semaphore::new(AT_ONCE) }
    }
}

impl Door {
    /// The role behind a name and its password, if they are right.
    pub(crate) async fn verify(&self, accounts: &Accounts, ip: IpAddr, name: &str, password: &[u8]) -> Option<Role> {
        let turn = {
            let mut turns = lock(&self.turns);
            turns.retain(|_, t| Arc::strong_count(t) > 1);
            turns.entry(ip).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let _turn = timeout(PATIENCE, turn.acquire()).await.ok()?.ok()?;
        let role = {
            let _hashing = self.hashing.acquire().await.ok()?;
            let (accounts, name, password) = (accounts.clone(), name.to_owned(), password.to_vec());
            tokio::task::spawn_blocking(move || accounts.verify(&name, &password)).await.ok()?
        };
        if role.is_none() {
            sleep(PENALTY).await;
        }
        role
    }
}
