//! One command at a time uses an account: transactions of an account are counted, and two that count alike cannot both be in
//! a block.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use holdfast_ledger::account::AccountId;

/// The right to use an account on this machine, until it is dropped.
#[derive(Debug)]
pub struct AccountLock(#[expect(dead_code, reason = "locked as long as it is open")] File);

impl AccountLock {
    /// Waits for the account. `folder` is made if it is not there. This blocks, for as long as another command takes.
    ///
    /// # Errors
    /// If the lock's file cannot be used.
    pub fn take(folder: &Path, account: &AccountId) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = File::options().create(true).append(true).open(folder.join(format!("{account}.lock")))?;
        file.lock()?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_core::ed25519::SecretKey;

    use super::*;

    #[test]
    fn an_account_is_used_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let account = |seed| AccountId::of(SecretKey::from_seed(&[seed; 32]).public());
        let lock = AccountLock::take(folder.path(), &account(1)).unwrap();
        let _other = AccountLock::take(folder.path(), &account(2)).unwrap();
        let path = folder.path().to_owned();
        let (sender, receiver) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let lock = AccountLock::take(&path, &account(1)).unwrap();
            sender.send(()).unwrap();
            lock
        });
        assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err());
        drop(lock);
        receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        waiting.join().unwrap();
    }
}
