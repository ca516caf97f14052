//! A network of one member, which decides alone.

use holdfast_core::bls;
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::ed25519;
use holdfast_core::explain;
use holdfast_core::id::{BoxKey, NetworkId, NodeId, Salt, Timestamp};
use holdfast_core::purpose::Signable;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::beacon::beacon;
use holdfast_ledger::block::{BlockTime, Height, Round};
use holdfast_ledger::execute::{Draft, Parent};
use holdfast_ledger::genesis::{Allotment, Contents, Founded, Owner};
use holdfast_ledger::params::Params;
use holdfast_ledger::state::State;
use holdfast_proofs::genesis::{Authority, Genesis, LedgerPart, Member, Weight};
use holdfast_proofs::header::Seal;
use holdfast_proofs::profile::Profile;

/// Its keys and its first block.
pub(super) struct Alone {
    pub(super) network: NetworkId,
    pub(super) founded: Founded,
    node: NodeId,
    secret: bls::SecretKey,
}

impl Alone {
    /// Founds it. Its epoch does not end while anybody measures.
    ///
    /// # Errors
    /// The rule that is broken, in one line.
    pub(super) fn new(owner: AccountId, params: Params, allotments: Vec<Allotment>) -> Result<Self, String> {
        let secret = bls::SecretKey::from_seed(&[1; 32]);
        let ed25519 = ed25519::SecretKey::from_seed(&[1; 32]).public();
        let node = NodeId::of(&ed25519);
        let text = |text: &str| Text::new(text).map_err(|error| explain(&error));
        let member = Member {
            node,
            ed25519,
            bls: secret.public(),
            box_key: BoxKey::new([1; 32]),
            operator: text("bench")?,
            failure_domain: text("bench")?,
            weight: Weight::ONE,
            salt: Salt::new([0; 32]),
            peer: text("bench")?,
        };
        let contents = Contents {
            params,
            owners: Bounded::new(vec![Owner { node, account: owner }]).map_err(|_| "one owner too many")?,
            allotments: Bounded::new(allotments).map_err(|_| "too many allotments")?,
        };
        let authorities = vec![Authority { node, weight: Weight::ONE }];
        let ledger = LedgerPart {
            block_ms: 1000,
            authorities: Bounded::new(authorities).map_err(|_| "one authority too many")?,
            contents: contents.hash(),
        };
        let profile = Profile::copies(1).ok_or("no such profile")?;
        let (start, end) = (Timestamp(0), Timestamp(1 << 40));
        let genesis = Genesis::found(text("bench")?, start, end, vec![profile], vec![member], Some(ledger));
        let genesis = genesis.map_err(|error| explain(&error))?;
        let founded = contents.found(&genesis).map_err(|error| explain(&error))?;
        Ok(Self { network: genesis.network(), founded, node, secret })
    }

    /// What the only validator drafts.
    ///
    /// # Errors
    /// If the last beacon cannot be read.
    pub(super) fn draft(&self, parent: Parent<'_>) -> Result<Draft, String> {
        let height = parent.header.height;
        let last = beacon(&State::over(parent.rows), height).map_err(|error| explain(&error))?;
        let seal = Seal { beacon: last.ok_or("there is no beacon")?, height: Height(height.0 + 1) };
        let seal = self.secret.sign(&seal.signing_input(&self.network));
        let time = BlockTime(parent.header.time.0 + 1);
        Ok(Draft { time, round: Round(0), proposer: self.node, seal })
    }
}
