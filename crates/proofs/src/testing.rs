//! Networks with known secrets, for tests of this crate and of those above it.

use holdfast_core::codec::{Bounded, Text};
use holdfast_core::id::{Amount, BoxKey, Epoch, NodeId, PieceRoot, Salt, Timestamp};
use holdfast_core::purpose::Signable;
use holdfast_core::{block::BlockId, bls, ed25519};

use crate::certificate::ValidCertificate;
use crate::committee::Committee;
use crate::genesis::{
    Authority, ContentsHash, Genesis, GenesisProofs, LedgerPart, Member, MemberProof, Weight,
};
use crate::profile::Profile;
use crate::slots::{self, Bucket};
use crate::statement::{Coding, Durability, Statement};

/// Beginning and end of epoch 0, unless told otherwise.
const EPOCH_ZERO: (Timestamp, Timestamp) = (Timestamp(1000), Timestamp(2000));

/// A network all of whose secrets the test knows.
pub struct TestNetwork {
    /// The founding object.
    pub genesis: Genesis,
    /// Its possession proofs.
    pub proofs: GenesisProofs,
    /// The committee of epoch 0.
    pub committee: Committee,
    /// Secret BLS keys, in the order of the members.
    pub secrets: Vec<bls::SecretKey>,
}

/// The keys of the member with this number.
pub fn keys(number: u8) -> (ed25519::SecretKey, bls::SecretKey) {
    (ed25519::SecretKey::from_seed(&[number; 32]), bls::SecretKey::from_seed(&[number; 32]))
}

/// The public entry of the member with this number, with an operator and a failure domain of its own.
pub fn member(number: u8) -> Member {
    let (ed25519, bls) = keys(number);
    Member {
        node: NodeId::of(&ed25519.public()),
        ed25519: ed25519.public(),
        bls: bls.public(),
        box_key: BoxKey::new([number; 32]),
        operator: Text::new(format!("operator-{number}")).expect("short"),
        failure_domain: Text::new(format!("site-{number}")).expect("short"),
        weight: Weight::ONE,
        salt: Salt::new([0; 32]),
        peer: Text::new(format!("peer-{number}")).expect("short"),
    }
}

impl TestNetwork {
    /// A network of members 1 to `size`, allowing copy4, in epoch 0 from 1,000 to 2,000.
    pub fn new(size: u8) -> Self {
        Self::of((1..=size).map(member).collect(), Profile::COPY4)
    }

    /// The same with a ledger of these contents, of which every member is an authority, and a block every second.
    pub fn with_ledger(size: u8, contents: ContentsHash) -> Self {
        Self::with_ledger_from((1..=size).map(member).collect(), EPOCH_ZERO, 1000, contents)
    }

    /// The same of these members, whose secrets are those of [`keys`], in epoch 0 between these times, and with a block in
    /// so many milliseconds.
    pub fn with_ledger_from(
        members: Vec<Member>,
        times: (Timestamp, Timestamp),
        block_ms: u32,
        contents: ContentsHash,
    ) -> Self {
        let authority = |member: &Member| Authority { node: member.node, weight: Weight::ONE };
        let mut authorities: Vec<_> = members.iter().map(authority).collect();
        authorities.sort_by_key(|authority| authority.node);
        let authorities = Bounded::new(authorities).expect("few members");
        let ledger = LedgerPart { block_ms, authorities, contents };
        Self::found(members, Profile::COPY4, times, Some(ledger))
    }

    /// A network of these members, whose secrets are those of [`keys`].
    pub fn of(members: Vec<Member>, profile: Profile) -> Self {
        Self::found(members, profile, EPOCH_ZERO, None)
    }

    fn found(
        members: Vec<Member>,
        profile: Profile,
        (start, end): (Timestamp, Timestamp),
        ledger: Option<LedgerPart>,
    ) -> Self {
        let genesis =
            Genesis::found(Text::new("test").expect("short"), start, end, vec![profile], members, ledger)
                .expect("test members are valid");
        let network = genesis.network();
        let secrets: Vec<_> = genesis
            .members
            .iter()
            .map(|member| {
                (1..=u8::MAX)
                    .map(|number| keys(number).1)
                    .find(|secret| secret.public() == member.bls)
                    .expect("every test member has a number")
            })
            .collect();
        let proofs = genesis
            .members
            .iter()
            .zip(&secrets)
            .map(|(member, secret)| MemberProof {
                node: member.node,
                possession: secret.sign_possession(member.node, &network),
            })
            .collect();
        let proofs = GenesisProofs { network, members: Bounded::new(proofs).expect("few members") };
        let committee = Committee::new(&genesis, &proofs).expect("proofs were just made");
        Self { genesis, proofs, committee, secrets }
    }

    /// A statement about a piece, as this network's members would sign it.
    pub fn statement(&self, cid: BlockId) -> Statement {
        Statement {
            epoch: Epoch(0),
            committee: self.committee.id(),
            cid,
            piece_root: PieceRoot::new([3; 32]),
            piece_bytes: 12_345,
            coding: Coding::copies(self.committee.record().profiles[0]),
            retain_until: Epoch(1),
            durability: Durability::SYNCED,
            read_price_max: Amount::ZERO,
            order: None,
        }
    }

    /// The signature of the member in slot `slot` of the statement's piece.
    pub fn receipt(&self, statement: &Statement, slot: u16) -> (u16, bls::Signature) {
        let places = slots::order(Bucket::of(&statement.cid), self.committee.members());
        let input = statement.signing_input(self.committee.network());
        (slot, self.secrets[places[usize::from(slot)]].sign(&input))
    }

    /// A certificate signed by these slots.
    pub fn certificate(&self, statement: &Statement, slots: &[u16]) -> ValidCertificate {
        let receipts: Vec<_> = slots.iter().map(|slot| self.receipt(statement, *slot)).collect();
        ValidCertificate::from_receipts(statement.clone(), &receipts, &self.committee)
            .expect("signed by the right keys")
    }
}
