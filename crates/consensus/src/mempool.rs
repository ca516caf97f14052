//! Transactions that wait for a block.
//!
//! The transactions of a sender form a chain: their nonces follow each other, from the next one of the account on, and there is never
//! a gap. So whatever is taken from the front of chains fits a block, and whatever is dropped is dropped from the end of one.
//!
//! - A transaction is let in if its account can pay for it after everything before it in its chain, even if all of that spends as
//!   much as it can.
//! - The same nonce again takes the place of the first if it pays a tenth more.
//! - When there is no room, the end of the chain that pays least for a byte goes, if the new one pays more.
//!
//! Accounts, prices and the height are arguments; nothing here reads the ledger. Specification: docs/spec/consensus.md, "Mempool".

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::id::Amount;
use holdfast_ledger::account::{Account, AccountId};
use holdfast_ledger::block::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, Height};
use holdfast_ledger::execute::{BLOCK_CHECKS_MAX, BLOCK_HEAD_BYTES};
use holdfast_ledger::params::Params;
use holdfast_ledger::transaction::{CheckedTransaction, TransactionId};

mod chain;

use chain::{Chain, Rate};

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Transactions of everybody.
    pub transactions: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Transactions of one sender.
    pub sender_transactions: usize,
    /// Their bytes.
    pub sender_bytes: usize,
}

impl Default for Bounds {
    /// What fills the next two blocks with the most transactions, and eight with the longest. A sender may have what others have
    /// time to see: 64 transactions, or the bytes of sixteen of the longest.
    fn default() -> Self {
        Self {
            transactions: 2 * BLOCK_TRANSACTIONS_MAX,
            bytes: 8 * BLOCK_BYTES_MAX,
            sender_transactions: 64,
            sender_bytes: 256 << 10,
        }
    }
}

/// What a block may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions.
    pub transactions: usize,
    /// Bytes of all of them.
    pub bytes: usize,
    /// Signatures in their payloads.
    pub checks: usize,
}

impl Limits {
    /// What the ledger lets a block hold.
    pub const BLOCK: Self = Self {
        transactions: BLOCK_TRANSACTIONS_MAX,
        bytes: BLOCK_BYTES_MAX - BLOCK_HEAD_BYTES,
        checks: BLOCK_CHECKS_MAX,
    };
}

/// The ledger as the next block will find it.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    /// The height of the next block.
    pub height: Height,
    /// Prices.
    pub params: &'a Params,
}

impl Conditions<'_> {
    /// The least fee of a transaction.
    fn needed(&self, transaction: &CheckedTransaction) -> Amount {
        self.params.fee(transaction.bytes()).unwrap_or(Amount(u128::MAX))
    }

    /// Whether a block at this height may hold it, as far as it alone shows.
    fn allow(&self, transaction: &CheckedTransaction) -> bool {
        transaction.body().valid_until >= self.height && transaction.body().fee >= self.needed(transaction)
    }
}

/// What became of a transaction that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It stands at the end of its sender's chain.
    Added,
    /// It took the place of this one.
    Replaced(TransactionId),
}

/// Why a transaction was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// It waits already.
    #[error("the transaction waits already")]
    Known,
    /// Its nonce was used.
    #[error("nonce {found} was used, the next one is {next}")]
    Used {
        /// The account's next nonce.
        next: u64,
        /// The transaction's.
        found: u64,
    },
    /// One before it is missing.
    #[error("nonce {found} comes too early, the next one that is missing is {next}")]
    Gap {
        /// The first nonce that nobody has.
        next: u64,
        /// The transaction's.
        found: u64,
    },
    /// No block may hold it any more.
    #[error("valid until block {until}")]
    Expired {
        /// Its last block.
        until: Height,
    },
    /// It offers less than the ledger asks.
    #[error("at least {} units are needed", .needed.0)]
    Fee {
        /// What is asked.
        needed: Amount,
    },
    /// The account may be unable to pay the fee after what waits before it.
    #[error("the sender may be unable to pay the fee after its other transactions")]
    Unpayable,
    /// Another one has its nonce, and it does not pay a tenth more.
    #[error("to replace the one with its nonce it must offer {} units", .needed.0)]
    Underpriced {
        /// What would suffice.
        needed: Amount,
    },
    /// The sender has as many as it may.
    #[error("the sender has too many transactions that wait")]
    SenderFull,
    /// There is no room, and all others pay more.
    #[error("there is no room, and all others pay more")]
    Full,
}

/// Transactions that wait.
#[derive(Debug, Default)]
pub struct Mempool {
    bounds: Bounds,
    chains: BTreeMap<AccountId, Chain>,
    /// What the last one of each chain pays: what goes first stands first.
    ends: BTreeSet<(Rate, AccountId)>,
    transactions: usize,
    bytes: usize,
}

impl Mempool {
    /// Nothing waits.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.transactions
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.transactions == 0
    }

    /// Bytes of all that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a transaction waits.
    pub fn contains(&self, transaction: &CheckedTransaction) -> bool {
        let body = transaction.body();
        let chain = self.chains.get(&body.sender);
        chain.and_then(|chain| chain.get(body.nonce)).is_some_and(|known| known.id() == transaction.id())
    }

    /// Lets a transaction in. `account` is its sender's.
    ///
    /// # Errors
    /// See [`AdmitError`]. Then nothing is in that was not before, but what the account's present state rules out may be gone.
    pub fn admit(
        &mut self,
        transaction: CheckedTransaction,
        account: Account,
        conditions: Conditions<'_>,
    ) -> Result<Admission, AdmitError> {
        let sender = transaction.body().sender;
        self.change(sender, |chain| chain.settle(account, conditions));
        let replaced = self.check(&transaction, account, conditions)?;
        self.make_room(&transaction, replaced.is_some())?;
        self.change(sender, |chain| {
            chain.put(account, transaction);
            chain.settle(account, conditions); // what follows one that pays more may not be payable now
        });
        Ok(replaced.map_or(Admission::Added, Admission::Replaced))
    }

    /// Everything but room for all. Answers which one it would replace.
    fn check(
        &self,
        transaction: &CheckedTransaction,
        account: Account,
        conditions: Conditions<'_>,
    ) -> Result<Option<TransactionId>, AdmitError> {
        let body = transaction.body();
        let empty = Chain::default();
        let chain = self.chains.get(&body.sender).unwrap_or(&empty);
        let known = chain.get(body.nonce);
        if known.is_some_and(|known| known.id() == transaction.id()) {
            return Err(AdmitError::Known);
        }
        let next = chain.next_nonce(account);
        if body.nonce < account.nonce {
            return Err(AdmitError::Used { next: account.nonce, found: body.nonce });
        }
        if body.nonce > next {
            return Err(AdmitError::Gap { next, found: body.nonce });
        }
        if body.valid_until < conditions.height {
            return Err(AdmitError::Expired { until: body.valid_until });
        }
        let needed = conditions.needed(transaction);
        if body.fee < needed {
            return Err(AdmitError::Fee { needed });
        }
        if let Some(needed) = known.map(chain::replacement_fee)
            && body.fee < needed
        {
            return Err(AdmitError::Underpriced { needed });
        }
        if chain.balance_before(account, body.nonce) < body.fee || body.nonce == u64::MAX {
            return Err(AdmitError::Unpayable);
        }
        let (count, bytes) = chain.size_with(transaction);
        if count > self.bounds.sender_transactions || bytes > self.bounds.sender_bytes {
            return Err(AdmitError::SenderFull);
        }
        Ok(known.map(CheckedTransaction::id))
    }

    /// Drops ends of other chains that pay less, or says that there are not enough of them; then nothing is dropped.
    fn make_room(&mut self, new: &CheckedTransaction, replaces: bool) -> Result<(), AdmitError> {
        let sender = new.body().sender;
        let old = self.chains.get(&sender).and_then(|chain| chain.get(new.body().nonce));
        let mut bytes = self.bytes + new.bytes() - old.map_or(0, CheckedTransaction::bytes);
        let mut count = self.transactions + usize::from(!replaces);
        let mut ends = BTreeSet::new();
        let mut dropped: BTreeMap<AccountId, usize> = BTreeMap::new();
        let mut known = self.ends.iter().copied().filter(|(_, other)| *other != sender).peekable();
        while bytes > self.bounds.bytes || count > self.bounds.transactions {
            // The next to go ends a chain as it stands, or as it stands after what goes before.
            let from_known = match (known.peek(), ends.first()) {
                (Some(one), Some(other)) => one < other,
                (one, _) => one.is_some(),
            };
            let next = if from_known { known.next() } else { ends.pop_first() };
            let Some((rate, owner)) = next.filter(|(rate, _)| *rate < Rate::of(new)) else {
                return Err(AdmitError::Full);
            };
            debug_assert!(rate < Rate::of(new));
            let gone = dropped.entry(owner).or_default();
            *gone += 1;
            let chain = &self.chains[&owner];
            bytes -= chain.at_end(*gone - 1).map_or(0, CheckedTransaction::bytes);
            count -= 1;
            ends.extend(chain.at_end(*gone).map(|end| (Rate::of(end), owner)));
        }
        for (owner, gone) in dropped {
            self.change(owner, |chain| chain.drop_ends(gone));
        }
        Ok(())
    }

    /// The best transactions for the next block, in an order in which they fit it: those that pay most for a byte first, and of each
    /// sender in the order of its nonces.
    pub fn select(&self, limits: Limits, conditions: Conditions<'_>) -> Vec<CheckedTransaction> {
        let (mut bytes, mut checks) = (0, 0);
        let mut selected = Vec::new();
        let allowed =
            |chain: &Chain, place| chain.at(place).filter(|head| conditions.allow(head)).map(Rate::of);
        let heads = self.chains.iter().filter_map(|(owner, chain)| Some((allowed(chain, 0)?, *owner, 0)));
        let mut heads: BTreeSet<_> = heads.collect();
        while let Some((_, owner, place)) = heads.pop_last() {
            if selected.len() == limits.transactions {
                break;
            }
            let chain = &self.chains[&owner];
            let Some(head) = chain.at(place) else { continue };
            let head_checks = head.body().payload.checks();
            if bytes + head.bytes() > limits.bytes || checks + head_checks > limits.checks {
                continue; // and nothing that follows it
            }
            bytes += head.bytes();
            checks += head_checks;
            selected.push(head.clone());
            heads.extend(allowed(chain, place + 1).map(|rate| (rate, owner, place + 1)));
        }
        selected
    }

    /// A block was committed. Drops what it holds and what can no longer follow, of its senders and of those who waited too long.
    /// `account` reads an account as it is now, `conditions` are those of the block after.
    pub fn committed<'a>(
        &mut self,
        included: impl IntoIterator<Item = &'a CheckedTransaction>,
        mut account: impl FnMut(&AccountId) -> Account,
        conditions: Conditions<'_>,
    ) {
        let touched = included.into_iter().map(|transaction| transaction.body().sender);
        let mut touched: BTreeSet<_> = touched.filter(|sender| self.chains.contains_key(sender)).collect();
        let out = self.chains.iter().filter(|(_, chain)| !chain.all(|one| conditions.allow(one)));
        touched.extend(out.map(|(owner, _)| *owner));
        for owner in touched {
            let account = account(&owner);
            self.change(owner, |chain| chain.settle(account, conditions));
        }
    }

    /// The transaction of this name, if it waits. It looks at all of them.
    pub fn find(&self, id: &TransactionId) -> Option<&CheckedTransaction> {
        let mut all = self.chains.values().flat_map(|chain| (0..).map_while(|place| chain.at(place)));
        all.find(|one| one.id() == *id)
    }

    /// Changes one chain, and everything that is known about all of them.
    fn change(&mut self, owner: AccountId, change: impl FnOnce(&mut Chain)) {
        let mut chain = self.chains.remove(&owner).unwrap_or_default();
        if let Some(end) = chain.at_end(0) {
            self.ends.remove(&(Rate::of(end), owner));
        }
        let (count, bytes) = chain.size();
        self.transactions -= count;
        self.bytes -= bytes;
        change(&mut chain);
        let (count, bytes) = chain.size();
        self.transactions += count;
        self.bytes += bytes;
        if let Some(end) = chain.at_end(0) {
            self.ends.insert((Rate::of(end), owner));
            self.chains.insert(owner, chain);
        }
    }
}

#[cfg(test)]
mod tests;
