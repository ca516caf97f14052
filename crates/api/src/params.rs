//! Numbers that governance may change.

use holdfast_core::id::Amount;
use holdfast_ledger::block::Height;
use holdfast_ledger::params;
use holdfast_proofs::profile;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{AmountText, name};

name!(ParamsSchema, "holdfast/params/1");

/// The parameters in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamsAnswer {
    /// What this object is.
    pub schema: ParamsSchema,
    /// After which block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The numbers.
    pub params: Params,
}

/// Parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Params {
    /// What every transaction costs.
    #[schema(value_type = AmountText)]
    pub fee_flat: Amount,
    /// What each of its bytes costs on top.
    #[schema(value_type = AmountText)]
    pub fee_byte: Amount,
    /// What it costs to keep one byte on one provider for one epoch.
    #[schema(value_type = AmountText)]
    pub price_byte_epoch: Amount,
    /// Bond that a node needs for each unit of its weight.
    #[schema(value_type = AmountText)]
    pub bond_min: Amount,
    /// Epochs from the wish to take bond back until it can be taken.
    pub unbond_epochs: u64,
    /// Epochs for which an offence can be shown.
    pub evidence_epochs: u64,
    /// Hundredths of its bond that an offender loses.
    pub slash_percent: u8,
    /// What clients may ask for in the next epochs; the first is the default.
    pub profiles: Vec<Profile>,
}

/// How a piece is spread: any `k` of `n` slots rebuild it, `q` receipts certify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// What people call it.
    pub name: String,
    /// Slots that suffice to rebuild.
    pub k: u16,
    /// Slots.
    pub n: u16,
    /// Receipts for a certificate.
    pub q: u16,
}

impl From<&profile::Profile> for Profile {
    fn from(profile: &profile::Profile) -> Self {
        let profile::Profile { k, n, q } = *profile;
        Self { name: profile.name(), k, n, q }
    }
}

impl From<&params::Params> for Params {
    fn from(params: &params::Params) -> Self {
        Self {
            fee_flat: params.fee_flat,
            fee_byte: params.fee_byte,
            price_byte_epoch: params.price_byte_epoch,
            bond_min: params.bond_min,
            unbond_epochs: params.unbond_epochs,
            evidence_epochs: params.evidence_epochs,
            slash_percent: params.slash_percent,
            profiles: params.profiles.iter().map(Profile::from).collect(),
        }
    }
}
