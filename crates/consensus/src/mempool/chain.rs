//! The transactions of one sender, in the order of their nonces and without a gap.

use std::collections::VecDeque;

use holdfast_core::id::Amount;
use holdfast_ledger::account::Account;
use holdfast_ledger::transaction::{CheckedTransaction, Payload};

use super::Conditions;

/// A replacement pays a tenth more, so that nobody makes others pass on the same nonce again and again for nothing.
const REPLACEMENT_PERCENT: u128 = 110;

/// What a transaction pays for a byte, in parts of 2⁻¹⁶ units. Fees that are let in are less than all money, so it is exact
/// enough to tell any two of them apart that differ by more than rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rate(u128);

impl Rate {
    pub(super) fn of(transaction: &CheckedTransaction) -> Self {
        let bytes = u128::try_from(transaction.bytes().max(1)).expect("transactions are short");
        Self(transaction.body().fee.0.saturating_mul(1 << 16) / bytes)
    }
}

/// The least fee of a transaction that takes the place of this one.
pub(super) fn replacement_fee(old: &CheckedTransaction) -> Amount {
    let fee = old.body().fee.0;
    let tenths = (fee % 100 * REPLACEMENT_PERCENT).div_ceil(100);
    let more = (fee / 100).saturating_mul(REPLACEMENT_PERCENT).saturating_add(tenths);
    Amount(more.max(fee.saturating_add(1)))
}

/// The most that a payload takes from its sender besides the fee.
fn spent_max(payload: &Payload) -> Amount {
    match payload {
        Payload::Transfer(transfer) => transfer.amount,
        Payload::Lock(lock) => lock.amount,
        Payload::PlaceOrder(place) => {
            let copies = u64::from(place.profile.n);
            let factors = [place.piece_bytes, place.epochs, copies];
            let cost = factors.into_iter().try_fold(place.price_max, Amount::times);
            cost.unwrap_or(Amount(u128::MAX))
        }
        // How long the piece is stands in the ledger alone.
        Payload::Renew(_) => Amount(u128::MAX),
        Payload::Register(_)
        | Payload::Update(_)
        | Payload::ReportDead(_)
        | Payload::Unlock(_)
        | Payload::Withdraw(_)
        | Payload::Accuse(_)
        | Payload::Activate(_)
        | Payload::Cancel(_)
        | Payload::Claim(_)
        | Payload::Support(_) => Amount::ZERO,
    }
}

/// What is certainly left of a balance after a transaction.
fn left(balance: Amount, transaction: &CheckedTransaction) -> Amount {
    let body = transaction.body();
    Amount(balance.0.saturating_sub(body.fee.0).saturating_sub(spent_max(&body.payload).0))
}

#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The first has the account's next nonce.
    waiting: VecDeque<CheckedTransaction>,
    bytes: usize,
}

impl Chain {
    /// How many there are, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.waiting.len(), self.bytes)
    }

    /// The same with one more, or one instead of another.
    pub(super) fn size_with(&self, new: &CheckedTransaction) -> (usize, usize) {
        let old = self.get(new.body().nonce);
        let bytes = self.bytes + new.bytes() - old.map_or(0, CheckedTransaction::bytes);
        (self.waiting.len() + usize::from(old.is_none()), bytes)
    }

    /// The one with this nonce.
    pub(super) fn get(&self, nonce: u64) -> Option<&CheckedTransaction> {
        let place = nonce.checked_sub(self.waiting.front()?.body().nonce)?;
        self.waiting.get(usize::try_from(place).ok()?)
    }

    /// The one at a place from the front.
    pub(super) fn at(&self, place: usize) -> Option<&CheckedTransaction> {
        self.waiting.get(place)
    }

    /// The one at a place from the end.
    pub(super) fn at_end(&self, place: usize) -> Option<&CheckedTransaction> {
        self.waiting.len().checked_sub(place + 1).and_then(|place| self.waiting.get(place))
    }

    /// Whether something holds for all.
    pub(super) fn all(&self, holds: impl FnMut(&CheckedTransaction) -> bool) -> bool {
        self.waiting.iter().all(holds)
    }

    /// The first nonce that is free.
    pub(super) fn next_nonce(&self, account: Account) -> u64 {
        self.waiting.back().map_or(account.nonce, |last| last.body().nonce.saturating_add(1))
    }

    /// What is certainly left for a transaction with this nonce.
    pub(super) fn balance_before(&self, account: Account, nonce: u64) -> Amount {
        let before = self.waiting.iter().take_while(|one| one.body().nonce < nonce);
        before.fold(account.balance, left)
    }

    /// Puts one in its place, which is there or follows the last.
    pub(super) fn put(&mut self, account: Account, new: CheckedTransaction) {
        debug_assert!(new.body().nonce <= self.next_nonce(account));
        self.bytes = self.size_with(&new).1;
        let first = self.waiting.front().map_or(new.body().nonce, |first| first.body().nonce);
        let place = usize::try_from(new.body().nonce - first).expect("chains are short");
        match self.waiting.get_mut(place) {
            Some(old) => *old = new,
            None => self.waiting.push_back(new),
        }
    }

    /// Drops so many from the end.
    pub(super) fn drop_ends(&mut self, count: usize) {
        for _ in 0..count {
            let gone = self.waiting.pop_back();
            self.bytes -= gone.as_ref().map_or(0, CheckedTransaction::bytes);
        }
    }

    /// Drops what was done, and from the first one on that can no longer be in a block.
    pub(super) fn settle(&mut self, account: Account, conditions: Conditions<'_>) {
        while self.waiting.front().is_some_and(|first| first.body().nonce < account.nonce) {
            let gone = self.waiting.pop_front();
            self.bytes -= gone.as_ref().map_or(0, CheckedTransaction::bytes);
        }
        let (mut nonce, mut balance) = (account.nonce, account.balance);
        let fits = |one: &&CheckedTransaction| {
            let fits = one.body().nonce == nonce && one.body().fee <= balance && conditions.allow(one);
            nonce = nonce.saturating_add(1);
            balance = left(balance, one);
            fits
        };
        let kept = self.waiting.iter().take_while(fits).count();
        self.drop_ends(self.waiting.len() - kept);
    }
}
