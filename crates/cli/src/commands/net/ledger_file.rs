//! What a network's ledger begins with, as founders write it down: a TOML file for `net create --ledger`.
//!
//! Documented for its writers in docs/operators.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_core::codec::Bounded;
use holdfast_core::id::{Amount, NodeId};
use holdfast_ledger::account::{AccountId, AccountIdError};
use holdfast_ledger::genesis::{Allotment, Contents, Owner};
use holdfast_ledger::params::Params;
use holdfast_proofs::genesis::{Authority, BLOCK_MS_MAX, LedgerPart, Member, Weight};
use holdfast_proofs::profile::Profile;
use serde::Deserialize;
use toml::Spanned;

use crate::args::duration;
use crate::commands::params::{Changes, Sum, line_of, malformed, read_toml};
use crate::failure::{Exit, Failure};

/// Time from block to block, unless the file says otherwise.
const BLOCK_MS: u32 = 10_000;

/// The file, read.
pub(super) struct LedgerFile {
    path: PathBuf,
    text: String,
    content: Content,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// Milliseconds from block to block.
    block_ms: Option<Spanned<u32>>,
    epoch: EpochLength,
    #[serde(default)]
    params: Changes,
    owner: Vec<OwnerEntry>,
    authority: Vec<AuthorityEntry>,
    #[serde(default)]
    allotment: Vec<AllotmentEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerEntry {
    node: Spanned<NodeId>,
    account: Account,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityEntry {
    node: Spanned<NodeId>,
    weight: Weight,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllotmentEntry {
    account: Spanned<Account>,
    amount: Spanned<Sum>,
}

/// Seconds of an epoch, written like `"1d"`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct EpochLength(u64);

impl TryFrom<String> for EpochLength {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match duration(&text)?.as_secs() {
            0 => Err("an epoch of no time".to_owned()),
            seconds => Ok(Self(seconds)),
        }
    }
}

/// An account, `hf1…`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Account(AccountId);

impl TryFrom<String> for Account {
    type Error = AccountIdError;

    fn try_from(text: String) -> Result<Self, AccountIdError> {
        text.parse().map(Self)
    }
}

impl LedgerFile {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let (content, text) = read_toml(path)?;
        Ok(Self { path: path.to_owned(), text, content })
    }

    /// How long epoch 0 lasts, and as long every other.
    pub(super) fn epoch_seconds(&self) -> u64 {
        self.content.epoch.0
    }

    /// A rule that the file as a whole breaks.
    pub(super) fn refuse(&self, why: &str) -> Failure {
        malformed(&self.path, None, why)
    }

    /// A rule that is broken at one place.
    fn refuse_at<T>(&self, place: &Spanned<T>, why: &str) -> Failure {
        malformed(&self.path, Some(line_of(&self.text, place.span().start)), why)
    }

    /// The ledger's beginning, for these members in ascending order, and what genesis holds of it. `profiles` are those that
    /// were named outside of the file.
    pub(super) fn describe(
        &self,
        members: &[Member],
        profiles: Option<Vec<Profile>>,
    ) -> Result<(Contents, LedgerPart), Failure> {
        let block_ms = match &self.content.block_ms {
            None => BLOCK_MS,
            Some(named) if (1..=BLOCK_MS_MAX).contains(named.get_ref()) => *named.get_ref(),
            Some(named) => {
                let why = format!("the time between blocks must be between 1 and {BLOCK_MS_MAX} ms");
                return Err(self.refuse_at(named, &why));
            }
        };
        let params = self.params(profiles)?;
        let owners = self.owners(members)?;
        let allotments = self.allotments()?;
        let authorities = self.authorities(members)?;
        let too_many = |_| self.refuse("too many owners, authorities or allotments");
        let contents = Contents {
            params,
            owners: Bounded::new(owners).map_err(|_| self.refuse("too many members"))?,
            allotments: Bounded::new(allotments).map_err(|_| self.refuse("too many allotments"))?,
        };
        let authorities = Bounded::new(authorities).map_err(too_many)?;
        let part = LedgerPart { block_ms, authorities, contents: contents.hash() };
        Ok((contents, part))
    }

    fn params(&self, profiles: Option<Vec<Profile>>) -> Result<Params, Failure> {
        let changes = self.content.params.clone();
        if profiles.is_some() && changes.names_copies() {
            let message =
                format!("--copies and `copies` in {} say the same twice; leave one out", self.path.display());
            return Err(Failure::new(Exit::Usage, "net.create", message));
        }
        let mut params = Params::default();
        if let Some(profiles) = profiles {
            params.profiles = Bounded::new(profiles).map_err(|_| self.refuse("too many copies"))?;
        }
        changes.apply(params).map_err(|failure| self.refuse(&failure.message))
    }

    /// One owner for each member, in their order.
    fn owners(&self, members: &[Member]) -> Result<Vec<Owner>, Failure> {
        let mut owners = BTreeMap::new();
        for OwnerEntry { node, account: Account(account) } in &self.content.owner {
            self.check_member(node, members)?;
            if owners.insert(*node.get_ref(), *account).is_some() {
                return Err(self.refuse_at(node, "this node has an owner above"));
            }
        }
        let owner = |member: &Member| {
            let node = member.node;
            let missing = || {
                let why = format!("no [[owner]] for node {node} of {}", member.operator.as_str());
                self.refuse(&why)
            };
            owners.get(&node).map(|account| Owner { node, account: *account }).ok_or_else(missing)
        };
        members.iter().map(owner).collect()
    }

    fn authorities(&self, members: &[Member]) -> Result<Vec<Authority>, Failure> {
        let mut authorities = BTreeMap::new();
        for AuthorityEntry { node, weight } in &self.content.authority {
            self.check_member(node, members)?;
            if authorities.insert(*node.get_ref(), *weight).is_some() {
                return Err(self.refuse_at(node, "this node is an authority above"));
            }
        }
        if authorities.is_empty() {
            return Err(self.refuse("without an [[authority]] nobody decides about blocks"));
        }
        Ok(authorities.into_iter().map(|(node, weight)| Authority { node, weight }).collect())
    }

    fn allotments(&self) -> Result<Vec<Allotment>, Failure> {
        let mut allotments = BTreeMap::new();
        for AllotmentEntry { account, amount } in &self.content.allotment {
            let (Account(name), Sum(sum)) = (*account.get_ref(), *amount.get_ref());
            if sum == Amount::ZERO {
                return Err(self.refuse_at(amount, "an allotment of nothing; leave it out"));
            }
            if allotments.insert(name, sum).is_some() {
                return Err(self.refuse_at(account, "this account has an allotment above"));
            }
        }
        Ok(allotments.into_iter().map(|(account, amount)| Allotment { account, amount }).collect())
    }

    fn check_member(&self, node: &Spanned<NodeId>, members: &[Member]) -> Result<(), Failure> {
        match members.iter().any(|member| member.node == *node.get_ref()) {
            true => Ok(()),
            false => Err(self.refuse_at(node, "this node is none of the members")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_for_operators_can_be_read() {
        let page = include_str!("../../../../../docs/operators.md");
        let (_, rest) = page.split_once("```toml\n").expect("an example");
        let (text, _) = rest.split_once("```").expect("it ends");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beginning.toml");
        std::fs::write(&path, text).unwrap();
        let file = LedgerFile::read(&path).unwrap_or_else(|failure| panic!("{}", failure.message));
        assert_eq!(
            (file.epoch_seconds(), file.content.block_ms.as_ref().map(|ms| *ms.get_ref())),
            (86_400, Some(10_000))
        );
        assert_eq!(file.content.owner.len(), 1);
        assert_eq!(file.params(None).map(|params| params.bond_min.0).ok(), Some(100 * 10_u128.pow(18)));
    }
}
