//! A ledger of which anything may be asked: bytes choose who asks what, so that searches for counterexamples and fuzzers
//! share one language.

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::codec::{self, Bounded};
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::{Amount, Epoch, NodeId, OrderId, PieceRoot};
use holdfast_core::purpose::Signable;
use holdfast_proofs::certificate::{Certificate, ValidCertificate};
use holdfast_proofs::committee::{Committee, CommitteeRecord};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::header::{BlockHash, Height, Round};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::statement::Statement;
use holdfast_proofs::testing::{keys, member};
use holdfast_proofs::vote::{Step, Vote};

use super::{TestLedger, owner, rich};
use crate::account::AccountId;
use crate::accounts;
use crate::epoch::Running;
use crate::evidence::{Accuse, Offence, Pair, Signed};
use crate::execute::{self, BlockError, Executed};
use crate::governance::{Action, Allow, Measurement, SetAuthority, Support};
use crate::memory::MemoryLedger;
use crate::params::Params;
use crate::registry::{Register, Registration, ReportDead, Roles, Update};
use crate::stake::{Lock, Unlock, Withdraw};
use crate::state::State;
use crate::storage::{Activate, Cancel, Claim, Order, PlaceOrder, Renew, order_id};
use crate::transaction::{CheckedTransaction, Payload, TRANSACTION_BYTES_MAX, Transfer};
use crate::units::FFG;

/// Members that there are from the beginning.
pub const MEMBERS: u8 = 5;

/// Bytes that choose; past their end all are zero.
pub type Choices<'a> = dyn Iterator<Item = u8> + 'a;

fn choose(choices: &mut Choices<'_>) -> u8 {
    choices.next().unwrap_or(0)
}

/// A ledger, and the orders that were made.
pub struct Life<'a> {
    /// Its secrets.
    pub test: &'a TestLedger,
    /// All rows.
    pub ledger: MemoryLedger,
    orders: Vec<OrderId>,
}

impl<'a> Life<'a> {
    /// At height 0, with [`MEMBERS`].
    pub fn new(test: &'a TestLedger) -> Self {
        Self { ledger: MemoryLedger::new(test.founded.clone()), test, orders: Vec::new() }
    }

    /// All rows.
    pub fn state(&self) -> State<'_> {
        State::over(&self.ledger)
    }

    /// A transaction of somebody, to come after those that wait.
    ///
    /// # Panics
    /// Never: whatever is chosen can be signed.
    pub fn transaction(
        &mut self,
        waiting: &[CheckedTransaction],
        choices: &mut Choices<'_>,
    ) -> CheckedTransaction {
        let key = actor(choose(choices));
        let payload = self.payload(choices);
        let payload = if choose(choices) < 200 { payload } else { spoilt(&payload, choices) };
        let id = AccountId::of(key.public());
        let nonce = accounts::account(&self.state(), &id).expect("in memory").nonce;
        let before = waiting.iter().filter(|transaction| transaction.body().sender == id).count();
        let transaction = self.test.transaction(&key, nonce + before as u64, payload);
        if let Payload::PlaceOrder(_) = transaction.body().payload {
            self.orders.push(order_id(transaction.id()));
        }
        transaction
    }

    /// A block of those transactions that fit, checked as everybody else does, and committed.
    ///
    /// # Panics
    /// If it is refused for another reason, or others come to something else.
    pub fn block(&mut self, later_ms: u64, mut transactions: Vec<CheckedTransaction>) -> Executed {
        loop {
            let parent = self.ledger.parent();
            match execute::propose(parent, self.test.draft(parent, later_ms), transactions.clone()) {
                Ok(executed) => {
                    let bytes = executed.block().to_bytes();
                    let block = crate::block::Block::from_bytes(&bytes).expect("a block that can be sent");
                    let block = block.check(&self.test.network.genesis.network()).expect("all are signed");
                    let again = execute::check(parent, block).expect("everybody comes to the same");
                    assert_eq!(again.changes(), executed.changes());
                    self.ledger.commit(&again);
                    return executed;
                }
                Err(BlockError::Transaction { index, .. }) => drop(transactions.remove(index)),
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    /// Milliseconds until the epoch ends.
    ///
    /// # Panics
    /// Never: memory can be read.
    pub fn rest_of_epoch(&self) -> u64 {
        let end = Running::of(&self.state()).expect("in memory").end.0.saturating_mul(1000);
        end.saturating_sub(self.ledger.header().time.0).max(1)
    }

    fn payload(&self, choices: &mut Choices<'_>) -> Payload {
        let kind = choose(choices) % 14;
        let number = number(choose(choices));
        let node = member(number).node;
        let order = self.order(choose(choices));
        match kind {
            0 => {
                let to = AccountId::of(actor(choose(choices)).public());
                Payload::Transfer(Transfer { to, amount: amount(choose(choices)) })
            }
            1 => self.register(9 + number % 2, choose(choices)),
            2 => Payload::Update(update(number, choose(choices))),
            3 => {
                let epoch = Epoch(self.epoch().0.saturating_sub((choose(choices) / 128).into()));
                Payload::ReportDead(ReportDead {
                    by: member(self::number(choose(choices))).node,
                    node,
                    epoch,
                })
            }
            4 => Payload::Lock(Lock { node, amount: amount(choose(choices)) }),
            5 => Payload::Unlock(Unlock { node, amount: amount(choose(choices)) }),
            6 => Payload::Withdraw(Withdraw { node }),
            7 => self.accuse(number, choices),
            8 => Payload::PlaceOrder(PlaceOrder {
                cid: cid(choose(choices)),
                piece_bytes: match choose(choices) {
                    255 => u64::MAX,
                    bytes => u64::from(bytes) * 1000,
                },
                profile: Profile::copies(4 + u16::from(choose(choices) / 200)).expect("few"),
                epochs: u64::from(choose(choices) % 12),
                price_max: Amount(u128::from(choose(choices))),
            }),
            9 => match self.certificate(order, choices) {
                Some(certificate) => Payload::Activate(Activate { order, certificate }),
                None => Payload::Claim(Claim { order }),
            },
            10 => {
                let epochs = choose(choices);
                let epochs = if epochs == 255 { u64::MAX } else { u64::from(epochs % 12) };
                Payload::Renew(Renew { order, epochs, price_max: Amount(u128::from(choose(choices))) })
            }
            11 => Payload::Cancel(Cancel { order }),
            12 => Payload::Claim(Claim { order }),
            _ => Payload::Support(Support { by: node, action: action(self, choices) }),
        }
    }

    fn epoch(&self) -> Epoch {
        Running::of(&self.state()).expect("in memory").epoch
    }

    /// One of the last orders.
    fn order(&self, choice: u8) -> OrderId {
        let back = usize::from(choice) % 4 + 1;
        let place = self.orders.len().checked_sub(back);
        place.map_or(OrderId::new([choice; 32]), |place| self.orders[place])
    }

    fn register(&self, number: u8, change: u8) -> Payload {
        let entry = member(number);
        let mut registration = Registration {
            owner: AccountId::of(owner(number).public()),
            roles: [Roles::ALL, Roles::PROVIDER, Roles::VALIDATOR][usize::from(change / 8) % 3],
            ed25519: entry.ed25519,
            bls: entry.bls,
            box_key: entry.box_key,
            operator: entry.operator,
            failure_domain: entry.failure_domain,
            weight: entry.weight,
            peer: entry.peer,
        };
        match change % 8 {
            5 => registration.bls = member(1).bls,
            6 => registration.peer = member(2).peer,
            _ => {}
        }
        let network = self.test.network.genesis.network();
        let (ed25519, bls) = keys(number);
        let consent = ed25519.sign(&registration.signing_input(&network));
        let possession = bls.sign_possession(entry.node, &network);
        Payload::Register(Register { registration, possession, consent })
    }

    fn accuse(&self, number: u8, choices: &mut Choices<'_>) -> Payload {
        let network = self.test.network.genesis.network();
        let signer = if choose(choices) < 200 { number } else { 1 };
        let about = choose(choices);
        let offence = if about < 128 {
            let height = self.ledger.header().height.0.saturating_sub((about % 16).into());
            let vote = |block: u8| Vote {
                height: Height(height),
                round: Round(0),
                step: Step::Precommit,
                block: (block > 0).then_some(BlockHash::new([block; 32])),
            };
            Offence::Votes(pair(signer, vote(0), vote(about / 16), &network))
        } else {
            let statement = self.test.network.statement(cid(about));
            let other = Statement { piece_root: PieceRoot::new([about % 5; 32]), ..statement.clone() };
            Offence::Statements(pair(signer, statement, other, &network))
        };
        Payload::Accuse(Accuse { node: member(number).node, offence })
    }

    /// A certificate of an order that there is.
    fn certificate(&self, id: OrderId, choices: &mut Choices<'_>) -> Option<Certificate> {
        let order = Order::get(&self.state(), &id).expect("in memory")?;
        let epoch = self.epoch().0.saturating_sub((choose(choices) / 100).into());
        let record: Option<CommitteeRecord> = self.state().get(&epoch.to_be_bytes()).expect("in memory");
        let committee = Committee::admitted(record.expect("every epoch has one"));
        let statement = Statement {
            epoch: Epoch(epoch),
            committee: committee.id(),
            piece_bytes: order.piece_bytes,
            piece_root: PieceRoot::new([choose(choices) / 250; 32]),
            coding: holdfast_proofs::statement::Coding::copies(order.profile),
            retain_until: Epoch(epoch + u64::from(choose(choices) % 14)),
            order: Some(id),
            ..self.test.network.statement(order.cid)
        };
        let places = slots::order(Bucket::of(&statement.cid), committee.members());
        let input = statement.signing_input(committee.network());
        let left_out = u16::from(choose(choices) % 8);
        let slots = (0..order.profile.n).filter(|slot| *slot != left_out);
        let sign = |slot: u16| {
            let node = committee.members().get(*places.get(usize::from(slot))?)?.node;
            Some((slot, keys(self.test.number(&node)).1.sign(&input)))
        };
        let receipts: Vec<_> = slots.filter_map(sign).collect();
        ValidCertificate::from_receipts(statement, &receipts, &committee)
            .ok()
            .map(|valid| valid.certificate().clone())
    }
}

fn actor(choice: u8) -> SecretKey {
    match choice % 9 {
        0 | 8 => rich(),
        number @ 1..=MEMBERS => owner(number),
        6 => owner(9),
        _ => owner(10),
    }
}

fn number(choice: u8) -> u8 {
    [1, 2, 3, 4, 5, 9, 10][usize::from(choice % 7)]
}

fn amount(choice: u8) -> Amount {
    match choice {
        250..=252 => Amount(2000 * FFG.0),
        253 => Amount(u128::MAX),
        254 => FFG,
        small => Amount(u128::from(small).pow(2)),
    }
}

fn cid(choice: u8) -> BlockId {
    BlockId::of(Codec::Raw, &[choice % 2])
}

fn update(number: u8, choice: u8) -> Update {
    let member = member(number);
    Update {
        node: member.node,
        operator: member.operator,
        failure_domain: member.failure_domain,
        weight: Weight::new(1 + choice % 16).expect("1 to 16"),
        serve: choice < 128,
    }
}

fn pair<T: Signable>(signer: u8, one: T, other: T, network: &holdfast_core::id::NetworkId) -> Pair<T> {
    let sign = |object: T| {
        let signature = keys(signer).1.sign(&object.signing_input(network));
        Signed(object, signature)
    };
    Pair(sign(one), sign(other))
}

fn action(life: &Life<'_>, choices: &mut Choices<'_>) -> Action {
    let now = Params::of(&life.state()).expect("in memory");
    let choice = choose(choices);
    match choice % 6 {
        0 => Action::Params(Params { price_byte_epoch: Amount(u128::from(choice / 6)), ..now }),
        1 => Action::Params(Params { bond_min: Amount(u128::from(choice)), slash_percent: choice, ..now }),
        2 => {
            let node: NodeId = member(number(choose(choices))).node;
            let weight = Weight::new(choose(choices) % 4);
            Action::Authority(SetAuthority { node, weight })
        }
        3 => {
            let profiles = vec![Profile::COPY4, Profile::copies(5).expect("few")];
            Action::Params(Params { profiles: Bounded::new(profiles).expect("two"), ..now })
        }
        4 => Action::Allow(Allow { measurement: Measurement::new([1; 48]), from: Epoch(0), until: None }),
        _ => Action::Revoke(Measurement::new([1; 48])),
    }
}

/// A payload with some of its bytes changed, if that is a payload as well.
fn spoilt(payload: &Payload, choices: &mut Choices<'_>) -> Payload {
    let mut bytes = codec::encode(payload);
    for _ in 0..1 + choose(choices) % 4 {
        let at = usize::from(choose(choices)) * 256 + usize::from(choose(choices));
        let at = at % bytes.len();
        bytes[at] = choose(choices);
    }
    codec::decode(&bytes, TRANSACTION_BYTES_MAX / 2).unwrap_or_else(|_| payload.clone())
}
