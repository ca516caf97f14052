//! From a block to what it changes: the one way into the state.
//!
//! A proposer fills in a [`Draft`] and gets the whole block; everybody else gets a block and checks that the same
//! execution gives the same header. What comes out, [`Executed`], is the only thing that a database takes.

use std::borrow::Cow;
use std::fmt;

use holdfast_core::Fault;
use holdfast_core::codec::Bounded;
use holdfast_core::id::Amount;

use crate::account::AccountId;
use crate::accounts;
use crate::block::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, BlockTime, CheckedBlock, Header, Height};
use crate::list::ListRoot;
use crate::params::Params;
use crate::receipt::{Event, Failure, Receipt, Receipts, Rewarded};
use crate::received::ReceivedBlock;
use crate::state::{Changes, Rows, RowsError, State};
use crate::supply::{Supply, reward};
use crate::transaction::{CheckedTransaction, Payload};
use crate::tree::{Pages, TreeChanges};

/// What a block's encoding takes beside its transactions, at most.
const BLOCK_HEAD_BYTES: usize = 512;

/// The committed ledger that a block follows.
#[derive(Clone, Copy)]
pub struct Parent<'a> {
    /// The last block's header.
    pub header: &'a Header,
    /// All rows after it.
    pub rows: &'a dyn Rows,
    /// The tree over these rows.
    pub pages: &'a dyn Pages,
}

/// What a proposer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Later than the parent's.
    pub time: BlockTime,
    /// Gets reward and fees.
    pub proposer: AccountId,
}

/// Why a transaction cannot be in this block. Unlike one that fails, it leaves no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Another one of the sender comes first, or came already.
    #[error("nonce {found}, the next one of the sender is {expected}")]
    Nonce {
        /// What it must be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// The sender wanted it earlier or not at all.
    #[error("valid until block {until}")]
    Expired {
        /// The last block that may hold it.
        until: Height,
    },
    /// It offers too little.
    #[error("fee of {offered} units, at least {needed} are needed", offered = .offered.0, needed = .needed.0)]
    Fee {
        /// What is asked.
        needed: Amount,
        /// What it offers.
        offered: Amount,
    },
    /// The sender cannot pay the fee.
    #[error("the sender cannot pay the fee")]
    Unpayable,
}

/// Why a block does not follow its parent.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It names another parent.
    #[error("the block follows another one")]
    Parent,
    /// Its time is not later than the parent's.
    #[error("time {found} ms, the parent has {parent} ms", found = .found.0, parent = .parent.0)]
    Time {
        /// The parent's.
        parent: BlockTime,
        /// The block's.
        found: BlockTime,
    },
    /// More than a block may hold.
    #[error("the block is too large: {transactions} transactions, {bytes} bytes")]
    TooLarge {
        /// How many there are.
        transactions: usize,
        /// Bytes of all of them.
        bytes: usize,
    },
    /// A transaction that must not be in it.
    #[error("transaction {index} does not fit")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// Why.
        source: Unfit,
    },
    /// Its execution gives something else than it says.
    #[error("the block says another {what} than comes out")]
    Header {
        /// Which field.
        what: &'static str,
    },
    /// The chain is as long as it can be.
    #[error("no block can follow")]
    Last,
    /// Our own state cannot be read.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl BlockError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Rows(_) => Fault::Local,
            _ => Fault::Peer,
        }
    }
}

/// A block that follows its parent, and all that it changes. There is no other way to make one.
#[derive(Clone, Debug)]
pub struct Executed {
    block: CheckedBlock,
    changes: Changes,
    tree: TreeChanges,
    receipts: Receipts,
    /// The block's encoding, if it came as one.
    bytes: Option<Vec<u8>>,
}

impl Executed {
    /// The block.
    pub fn block(&self) -> &CheckedBlock {
        &self.block
    }

    /// The block's encoding, as it was received or as it will be sent.
    pub fn block_bytes(&self) -> Cow<'_, [u8]> {
        match &self.bytes {
            Some(bytes) => bytes.into(),
            None => self.block.to_bytes().into(),
        }
    }

    /// Rows that it changes.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// What that means for the tree.
    pub fn tree(&self) -> &TreeChanges {
        &self.tree
    }

    /// What became of its transactions.
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }
}

/// Makes the block that a proposer drafts.
///
/// # Errors
/// If it would not follow its parent; a proposer leaves out what is [`Unfit`].
pub fn propose(
    parent: Parent<'_>,
    draft: Draft,
    transactions: Vec<CheckedTransaction>,
) -> Result<Executed, BlockError> {
    let header = parent.header;
    let height = header.height.next().ok_or(BlockError::Last)?;
    if draft.time <= header.time {
        return Err(BlockError::Time { parent: header.time, found: draft.time });
    }
    let bytes: usize = transactions.iter().map(CheckedTransaction::bytes).sum();
    if transactions.len() > BLOCK_TRANSACTIONS_MAX || bytes > BLOCK_BYTES_MAX - BLOCK_HEAD_BYTES {
        return Err(BlockError::TooLarge { transactions: transactions.len(), bytes });
    }
    let mut state = State::over(parent.rows);
    let receipts = run(&mut state, height, draft.proposer, &transactions)?;
    let changes = state.into_changes();
    let tree = TreeChanges::of(parent.pages, &changes)?;
    let header = Header {
        height,
        parent: header.hash(),
        time: draft.time,
        proposer: draft.proposer,
        transactions: ListRoot::of(transactions.iter().map(|transaction| *transaction.id().as_bytes())),
        receipts: receipts.root(),
        state: tree.root(),
    };
    Ok(Executed { block: CheckedBlock { header, transactions }, changes, tree, receipts, bytes: None })
}

/// Checks a block that somebody else made.
///
/// # Errors
/// See [`BlockError`].
pub fn check(parent: Parent<'_>, block: CheckedBlock) -> Result<Executed, BlockError> {
    let CheckedBlock { header, transactions } = block;
    if header.parent != parent.header.hash() {
        return Err(BlockError::Parent); // the common case, found before any work
    }
    let executed = propose(parent, Draft { time: header.time, proposer: header.proposer }, transactions)?;
    match first_difference(&executed.block.header, &header) {
        None => Ok(executed),
        Some(what) => Err(BlockError::Header { what }),
    }
}

/// Checks a block that somebody else sent, and keeps its bytes.
///
/// # Errors
/// See [`BlockError`].
pub fn check_received(parent: Parent<'_>, received: ReceivedBlock) -> Result<Executed, BlockError> {
    let (block, bytes) = received.into_parts();
    Ok(Executed { bytes: Some(bytes), ..check(parent, block)? })
}

fn first_difference(ours: &Header, theirs: &Header) -> Option<&'static str> {
    let fields = [
        ("height", ours.height == theirs.height),
        ("list of transactions", ours.transactions == theirs.transactions),
        ("list of receipts", ours.receipts == theirs.receipts),
        ("state", ours.state == theirs.state),
    ];
    let differs = fields.into_iter().find(|(_, same)| !same).map(|(what, _)| what);
    differs.or((ours != theirs).then_some("header"))
}

fn run(
    state: &mut State<'_>,
    height: Height,
    proposer: AccountId,
    transactions: &[CheckedTransaction],
) -> Result<Receipts, BlockError> {
    let params = Params::of(state)?;
    let mut receipts = Vec::with_capacity(transactions.len());
    let mut fees = Amount::ZERO;
    for (index, transaction) in transactions.iter().enumerate() {
        let receipt = match apply(state, &params, height, transaction) {
            Ok(receipt) => receipt,
            Err(Refused::Unfit(source)) => return Err(BlockError::Transaction { index, source }),
            Err(Refused::Rows(error)) => return Err(error.into()),
        };
        fees = fees.plus(transaction.body().fee).expect("fees were paid, so they are less than all money");
        receipts.push(receipt);
    }
    let events = vec![pay_proposer(state, height, proposer, fees)?];
    Ok(Receipts {
        transactions: Bounded::new(receipts).expect("one for each transaction, which were counted"),
        events: Bounded::new(events).expect("one event"),
    })
}

/// Why a transaction left no trace.
enum Refused {
    Unfit(Unfit),
    Rows(RowsError),
}

impl From<RowsError> for Refused {
    fn from(error: RowsError) -> Self {
        Self::Rows(error)
    }
}

/// Takes the fee, then does what the payload says or undoes it.
fn apply(
    state: &mut State<'_>,
    params: &Params,
    height: Height,
    transaction: &CheckedTransaction,
) -> Result<Receipt, Refused> {
    let body = transaction.body();
    if body.valid_until < height {
        return Err(Refused::Unfit(Unfit::Expired { until: body.valid_until }));
    }
    let needed = params.fee(transaction.bytes()).unwrap_or(Amount(u128::MAX));
    if body.fee < needed {
        return Err(Refused::Unfit(Unfit::Fee { needed, offered: body.fee }));
    }
    accounts::begin(state, body)?.map_err(Refused::Unfit)?;
    state.savepoint();
    let mut events = Vec::new();
    let failure = match dispatch(state, body.sender, &body.payload, &mut events) {
        Ok(()) => None,
        Err(Halt::Rows(error)) => return Err(error.into()),
        Err(Halt::Failed(failure)) => {
            state.roll_back();
            events.clear();
            Some(failure)
        }
    };
    let events = Bounded::new(events).expect("payloads are bounded in what they bring about");
    Ok(Receipt { transaction: transaction.id(), failure, events })
}

/// Why a payload stops.
#[derive(Debug)]
pub(crate) enum Halt {
    /// By a rule: its effects are undone.
    Failed(Failure),
    /// Nothing can be said about the block.
    Rows(RowsError),
}

impl From<RowsError> for Halt {
    fn from(error: RowsError) -> Self {
        Self::Rows(error)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Rows(error) => error.fmt(f),
        }
    }
}

fn dispatch(
    state: &mut State<'_>,
    sender: AccountId,
    payload: &Payload,
    events: &mut Vec<Event>,
) -> Result<(), Halt> {
    match payload {
        Payload::Transfer(transfer) => accounts::transfer(state, sender, transfer, events),
    }
}

fn pay_proposer(
    state: &mut State<'_>,
    height: Height,
    proposer: AccountId,
    fees: Amount,
) -> Result<Event, RowsError> {
    let mut supply = Supply::of(state)?;
    let issued = reward(height).min(supply.left());
    supply.issued = supply.issued.plus(issued).expect("less than the cap");
    state.put(&[], &supply);
    let sum = fees.plus(issued).expect("less than the cap");
    accounts::credit(state, &proposer, sum)?;
    Ok(Event::Rewarded(Rewarded { to: proposer, issued, fees }))
}

#[cfg(test)]
mod tests;
