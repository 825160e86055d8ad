//! The order in which a process begins the attempts of one network.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};
use tokio::time::timeout;

/// How long an attempt waits for its turn. While the database does not answer, the attempts behind would otherwise wait
/// for one timeout of the database after the other.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The networks whose attempts begin now, whatever their database: most processes have one, and a connection does not
/// name it.
static NETWORKS: LazyLock<Mutex<HashMap<String, Network>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Network {
    lock: Arc<Lock<()>>,
    /// How many attempts have a turn or wait for one. With none of them the entry is removed.
    attempts: usize,
}

fn networks() -> MutexGuard<'static, HashMap<String, Network>> {
    NETWORKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it exists, no other attempt of the network begins in this process.
pub(super) struct Turn {
    _held: OwnedMutexGuard<()>,
    _entry: Entry,
}

/// Waits until no other attempt of the network begins; `None` where that takes too long.
pub(super) async fn wait_for_order(network: &str) -> Option<Turn> {
    let (entry, lock) = Entry::of(network);
    let held = match Arc::clone(&lock).try_lock_owned() {
        Ok(held) => held,
        // Outside of a Tokio runtime there is no timer.
        Err(_) if Handle::try_current().is_err() => lock.lock_owned().await,
        Err(_) => timeout(LONGEST_WAIT, lock.lock_owned()).await.ok()?,
    };
    Some(Turn {
        _held: held,
        _entry: entry,
    })
}

/// An attempt's part in the entry of its network.
struct Entry(String);

impl Entry {
    fn of(network: &str) -> (Self, Arc<Lock<()>>) {
        let mut networks = networks();
        let entry = networks.entry(network.to_owned()).or_default();
        entry.attempts += 1;
        (Self(network.to_owned()), Arc::clone(&entry.lock))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut networks = networks();
        if let Some(entry) = networks.get_mut(&self.0) {
            entry.attempts -= 1;
            if entry.attempts == 0 {
                networks.remove(&self.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_of_other_networks_are_not_waited_for_and_none_is_kept()
    -> Result<(), &'static str> {
        let held = wait_for_order("0").await.ok_or("no turn")?;
        let mut others = Vec::new();
        for number in 1..1_000 {
            let network = number.to_string();
            let turn = tokio::select! {
                biased;
                turn = wait_for_order(&network) => turn,
                () = async {} => return Err("it waits"),
            };
            others.push(turn.ok_or("no turn")?);
        }
        // One that stops waiting.
        tokio::select! {
            biased;
            _ = wait_for_order("0") => return Err("two have the turn"),
            () = async {} => {}
        }
        assert_eq!(networks().len(), 1_000);
        drop((held, others));
        assert_eq!(networks().len(), 0);
        Ok(())
    }
}
