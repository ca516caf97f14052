//! Validators: who decides about the ledger's next block.
//!
//! A set is named by the hash of its encoding, and every header names the set that decides about it and the one that decides
//! about the next block. So whoever trusts one set can follow the headers to every later one.
//! Specification: docs/spec/ledger.md, "Validators".

use holdfast_core::bls::{self, BlsError, PublicKeyBytes};
use holdfast_core::codec::{self, Bounded};
use holdfast_core::fixed_bytes;
use holdfast_core::id::NodeId;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::genesis::{Genesis, GenesisProofs, ProofsError, Weight};
use crate::header::{Height, Round};
use crate::profile::exceeds_two_thirds;

/// Most validators. Each sends two votes a block to every other.
pub const VALIDATORS_MAX: usize = 128;

fixed_bytes!(
    /// BLAKE3 of a validator set.
    ValidatorsId, 32
);

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Validator {
    /// The node.
    pub node: NodeId,
    /// Signs its votes.
    pub bls: PublicKeyBytes,
    /// What its vote counts, and how often it proposes.
    pub weight: Weight,
}

/// Validators, strictly ascending by node id; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ValidatorSet {
    /// All of them.
    pub validators: Bounded<Validator, VALIDATORS_MAX>,
}

/// Why a list is no validator set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorsError {
    /// Nobody could decide.
    #[error("there is no validator")]
    Empty,
    /// Not in ascending order, or one twice.
    #[error("validator {node} is out of order")]
    Order {
        /// The first out of order.
        node: NodeId,
    },
    /// A key that cannot be used.
    #[error("validator {node} is refused")]
    Key {
        /// Whose.
        node: NodeId,
        /// Why.
        source: BlsError,
    },
    /// An authority of genesis that is no member of it.
    #[error("authority {node} is no member of genesis")]
    Stranger {
        /// Who.
        node: NodeId,
    },
    /// The set is not the one that a header names.
    #[error("the header names other validators")]
    Other,
    /// Genesis has no ledger, so nobody decides.
    #[error("this network has no ledger")]
    NoLedger,
    /// The possession proofs of genesis.
    #[error(transparent)]
    Proofs(#[from] Box<ProofsError>),
}

impl ValidatorSet {
    /// Sorts and checks a list.
    ///
    /// # Errors
    /// If there are none, too many ([`ValidatorsError::Order`] names the first beyond), or one is there twice.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, ValidatorsError> {
        validators.sort_by_key(|validator| validator.node);
        let set = Bounded::new(validators)
            .map_err(|all| ValidatorsError::Order { node: all[VALIDATORS_MAX].node })
            .map(|validators| Self { validators })?;
        set.validate()?;
        Ok(set)
    }

    /// The authorities of genesis.
    ///
    /// # Errors
    /// If there is no ledger, or an authority is no member.
    pub fn of_genesis(genesis: &Genesis) -> Result<Self, ValidatorsError> {
        let ledger = genesis.ledger.as_ref().ok_or(ValidatorsError::NoLedger)?;
        let validator = |authority: &crate::genesis::Authority| {
            let node = authority.node;
            let place = genesis.members.binary_search_by_key(&node, |member| member.node);
            let member = place.map(|place| &genesis.members[place]);
            let bls = member.map_err(|_| ValidatorsError::Stranger { node })?.bls;
            Ok::<_, ValidatorsError>(Validator { node, bls, weight: authority.weight })
        };
        let validators = ledger.authorities.iter().map(validator).collect::<Result<_, _>>()?;
        let set = Self { validators: Bounded::new(validators).expect("authorities are bounded") };
        set.validate()?;
        Ok(set)
    }

    /// Checks order and count.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), ValidatorsError> {
        if self.validators.is_empty() {
            return Err(ValidatorsError::Empty);
        }
        let mut pairs = self.validators.windows(2);
        match pairs.find(|pair| pair[0].node >= pair[1].node) {
            Some(pair) => Err(ValidatorsError::Order { node: pair[1].node }),
            None => Ok(()),
        }
    }

    /// The set's name.
    pub fn id(&self) -> ValidatorsId {
        ValidatorsId::new(codec::digest(self))
    }

    /// The sum of all weights.
    pub fn weight(&self) -> u64 {
        self.validators.iter().map(|validator| u64::from(validator.weight.get())).sum()
    }

    /// Where a validator stands, or `None` for strangers.
    pub fn place(&self, node: &NodeId) -> Option<usize> {
        self.validators.binary_search_by_key(node, |validator| validator.node).ok()
    }

    /// Whose turn it is: by turns through all weights, one further for each height and each round.
    ///
    /// # Panics
    /// If the set is empty, which no validated one is.
    pub fn proposer(&self, height: Height, round: Round) -> &Validator {
        let turn = u128::from(height.0) + u128::from(round.0);
        let mut turn = turn % u128::from(self.weight());
        for validator in self.validators.iter() {
            let weight = u128::from(validator.weight.get());
            if turn < weight {
                return validator;
            }
            turn -= weight;
        }
        unreachable!("a turn is less than the sum of all weights")
    }

    /// Whether these places together decide: more than two thirds of all weight.
    pub fn decides(&self, places: impl IntoIterator<Item = usize>) -> bool {
        let weight = |place: usize| u64::from(self.validators[place].weight.get());
        exceeds_two_thirds(places.into_iter().map(weight).sum(), self.weight())
    }
}

/// A validator set with usable keys, all of whose owners have shown possession. It is made from genesis, or from a header that
/// a quorum signed, or by whoever executed the ledger.
#[derive(Clone, Debug)]
pub struct Validators {
    set: ValidatorSet,
    id: ValidatorsId,
    keys: Vec<bls::PublicKey>,
}

impl Validators {
    /// The first validators of a network.
    ///
    /// # Errors
    /// If genesis or its proofs break a rule.
    pub fn of_genesis(genesis: &Genesis, proofs: &GenesisProofs) -> Result<Self, ValidatorsError> {
        genesis.validate().map_err(|error| Box::new(ProofsError::Genesis(error)))?;
        proofs.keys(genesis).map_err(Box::new)?;
        Self::admitted(ValidatorSet::of_genesis(genesis)?)
    }

    /// A set whose members' possession was checked when the ledger admitted them. Only for sets that were trusted already:
    /// those of our own ledger, and those that a finalised header names ([`crate::light`]).
    ///
    /// # Errors
    /// If the list breaks a rule or a key is no point of the group.
    pub fn admitted(set: ValidatorSet) -> Result<Self, ValidatorsError> {
        set.validate()?;
        let key = |validator: &Validator| {
            let node = validator.node;
            validator.bls.admitted().map_err(|source| ValidatorsError::Key { node, source })
        };
        let keys = set.validators.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { id: set.id(), set, keys })
    }

    /// The list.
    pub fn set(&self) -> &ValidatorSet {
        &self.set
    }

    /// The set's name.
    pub fn id(&self) -> ValidatorsId {
        self.id
    }

    /// The usable key of the validator at a place.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn key(&self, place: usize) -> &bls::PublicKey {
        &self.keys[place]
    }
}
