//! The accounts module: fees, nonces and transfers.

use holdfast_core::id::Amount;

use crate::account::{Account, AccountId};
use crate::execute::{Halt, Unfit};
use crate::receipt::{Event, Failure, Transferred};
use crate::state::{RowsError, State};
use crate::transaction::{Body, Transfer};

/// What an account has; nothing if nobody ever paid it.
///
/// # Errors
/// If its row cannot be read.
pub fn account(state: &State<'_>, id: &AccountId) -> Result<Account, RowsError> {
    Ok(state.get(Account::key(id))?.unwrap_or_default())
}

/// Begins a transaction: takes its fee and counts it.
pub(crate) fn begin(state: &mut State<'_>, body: &Body) -> Result<Result<(), Unfit>, RowsError> {
    let account = account(state, &body.sender)?;
    if account.nonce != body.nonce {
        return Ok(Err(Unfit::Nonce { expected: account.nonce, found: body.nonce }));
    }
    let (Some(balance), Some(nonce)) = (account.balance.minus(body.fee), account.nonce.checked_add(1)) else {
        return Ok(Err(Unfit::Unpayable));
    };
    state.put(Account::key(&body.sender), &Account { balance, nonce });
    Ok(Ok(()))
}

/// Gives money to an account. It was taken from somewhere, or issued.
pub(crate) fn credit(state: &mut State<'_>, id: &AccountId, amount: Amount) -> Result<(), RowsError> {
    let mut account = account(state, id)?;
    account.balance = account.balance.plus(amount).expect("all money is less than u128 holds");
    state.put(Account::key(id), &account);
    Ok(())
}

/// Takes money from an account.
pub(crate) fn debit(state: &mut State<'_>, id: &AccountId, amount: Amount) -> Result<(), Halt> {
    let mut account = account(state, id)?;
    account.balance = account.balance.minus(amount).ok_or(Failure::Balance)?;
    state.put(Account::key(id), &account);
    Ok(())
}

pub(crate) fn transfer(
    state: &mut State<'_>,
    from: AccountId,
    Transfer { to, amount }: &Transfer,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    if *amount == Amount::ZERO {
        return Err(Failure::Nothing.into());
    }
    // An account that is there was looked at when it was made.
    if state.get::<Account>(Account::key(to))?.is_none() && to.key().validate().is_err() {
        return Err(Failure::Recipient.into());
    }
    debit(state, &from, *amount)?;
    credit(state, to, *amount)?;
    events.push(Event::Transferred(Transferred { from, to: *to, amount: *amount }));
    Ok(())
}
