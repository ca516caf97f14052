//! Who keeps pieces in the running epoch, and who decides about the next block.

use holdfast_core::bls::PublicKeyBytes;
use holdfast_core::id::{CommitteeId, Epoch, NodeId};
use holdfast_ledger::block::Height;
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::validators::{ValidatorSet, ValidatorsId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::node::Member;
use crate::params::Profile;
use crate::schema::{Hash, Hex, TimeText, name};
use crate::time;

name!(CommitteeSchema, "holdfast/committee/1");
name!(ValidatorsSchema, "holdfast/validators/1");

/// The committee of the running epoch, and some of its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Committee {
    /// What this object is.
    pub schema: CommitteeSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Hash of the record.
    #[schema(value_type = Hash)]
    pub id: CommitteeId,
    /// The epoch.
    #[schema(value_type = u64)]
    pub epoch: Epoch,
    /// The committee before it.
    #[schema(value_type = Option<Hash>)]
    pub previous: Option<CommitteeId>,
    /// When the epoch began; null beyond the year 9999.
    #[schema(value_type = Option<TimeText>)]
    pub start: Option<String>,
    /// The same in milliseconds since 1970.
    pub start_ms: u64,
    /// When it is planned to end; null beyond the year 9999.
    #[schema(value_type = Option<TimeText>)]
    pub end: Option<String>,
    /// The same in milliseconds since 1970.
    pub end_ms: u64,
    /// What clients may ask for; the first is the default.
    pub profiles: Vec<Profile>,
    /// How many members there are.
    pub member_count: u32,
    /// Some of them, ascending by id.
    pub members: Vec<Member>,
    /// The `after` with which the next ones are asked for; null if there are none.
    #[schema(value_type = Option<Hash>)]
    pub next: Option<NodeId>,
}

impl Committee {
    /// A committee with up to `max` members after one.
    pub fn new(height: Height, record: &CommitteeRecord, after: Option<NodeId>, max: usize) -> Self {
        let from = record.members.partition_point(|member| after.is_some_and(|after| member.node <= after));
        let rest = &record.members[from..];
        let shown = &rest[..rest.len().min(max)];
        let next = if shown.len() < rest.len() { shown.last().map(|member| member.node) } else { None };
        let ((start, start_ms), (end, end_ms)) = (time::of_second(record.start), time::of_second(record.end));
        Self {
            schema: CommitteeSchema,
            height,
            id: record.id(),
            epoch: record.epoch,
            previous: record.previous,
            start,
            start_ms,
            end,
            end_ms,
            profiles: record.profiles.iter().map(Profile::from).collect(),
            member_count: u32::try_from(record.members.len()).unwrap_or(u32::MAX),
            members: shown.iter().map(Member::from).collect(),
            next,
        }
    }
}

/// Who decides about the next block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Validators {
    /// What this object is.
    pub schema: ValidatorsSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Hash of the set, which headers name.
    #[schema(value_type = Hash)]
    pub id: ValidatorsId,
    /// The sum of all weights.
    pub weight: u64,
    /// All of them, ascending by node id; 128 at most.
    pub validators: Vec<Validator>,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Validator {
    /// The node.
    #[schema(value_type = Hash)]
    pub node: NodeId,
    /// Signs its votes.
    #[schema(value_type = Hex)]
    pub bls: PublicKeyBytes,
    /// What its vote counts.
    pub weight: u8,
}

impl Validators {
    /// The set after a block.
    pub fn new(height: Height, set: &ValidatorSet) -> Self {
        let validators = set.validators.iter().map(|validator| {
            let weight = validator.weight.get();
            Validator { node: validator.node, bls: validator.bls, weight }
        });
        Self {
            schema: ValidatorsSchema,
            height,
            id: set.id(),
            weight: set.weight(),
            validators: validators.collect(),
        }
    }
}
