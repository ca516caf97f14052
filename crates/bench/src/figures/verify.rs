//! Checking a certificate whose committee is loaded, against one bare signature check; and a hundred signers
//! against four.

use std::time::Instant;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::bls;
use holdfast_core::codec::{Bounded, Text};
use holdfast_core::ed25519;
use holdfast_core::explain;
use holdfast_core::id::{Amount, BoxKey, Epoch, NodeId, PieceRoot, Salt, Timestamp};
use holdfast_core::purpose::Signable;
use holdfast_proofs::certificate::{Certificate, ValidCertificate, slots_of};
use holdfast_proofs::committee::Committee;
use holdfast_proofs::genesis::{Genesis, GenesisProofs, Member, MemberProof, Weight};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::{Coding, Durability, Statement};

use crate::figure::{Bound, Figure, Unit};
use crate::floor::Job;
use crate::ground::{BenchError, Ground, blocking};
use crate::runner::{Medians, alternate, median};

/// Members of the committee, and slots of its wider profile.
const MEMBERS: u8 = 100;
/// Slots of its narrower profile.
const FEW: u16 = 4;
/// Checks of which one run is the median.
const CHECKS: usize = 101;

pub(super) async fn measure(ground: &Ground) -> Result<Vec<Figure>, BenchError> {
    let court = blocking(|| Court::new().map_err(BenchError::Committee)).await?;
    let bare =
        async |_| Ok::<_, BenchError>(ground.floor_seconds(&Job::Verify { rounds: CHECKS }).await? * 1e6);
    let few = async |_| court.time(&court.few);
    let many = async |_| court.time(&court.many);
    let against_bare = alternate(ground.runs, bare, few).await?;
    let against_few = alternate(ground.runs, few, many).await?;
    let figure = |name: String, Medians { floor, ours }, max| Figure {
        name,
        value: ours,
        unit: Unit::Microseconds,
        floor: Some(floor),
        bound: Bound::RatioMax(max),
    };
    Ok(vec![
        figure(format!("verify/signers={FEW}"), against_bare, 1.4),
        figure(format!("verify/signers={MEMBERS} against={FEW}"), against_few, 1.25),
    ])
}

/// A committee with two certificates about the same piece.
struct Court {
    committee: Committee,
    few: Certificate,
    many: Certificate,
}

impl Court {
    /// # Errors
    /// The rule of our own that the objects break, in one line.
    fn new() -> Result<Self, String> {
        let few = Profile::copies(FEW).ok_or("no such profile")?;
        let many = Profile::copies(MEMBERS.into()).ok_or("no such profile")?;
        let members = (0..MEMBERS).map(member).collect::<Result<_, _>>()?;
        let name = Text::new("bench").map_err(|_| "a long name")?;
        let genesis = Genesis::found(name, Timestamp(0), Timestamp(1), vec![few, many], members, None)
            .map_err(|error| explain(&error))?;
        let network = genesis.network();
        let secret = |node: &NodeId| {
            (0..MEMBERS).map(keys).find(|(ed25519, _)| NodeId::of(&ed25519.public()) == *node)
        };
        let secrets: Vec<bls::SecretKey> =
            genesis.members.iter().filter_map(|member| Some(secret(&member.node)?.1)).collect();
        let possessions = genesis.members.iter().zip(&secrets).map(|(member, secret)| MemberProof {
            node: member.node,
            possession: secret.sign_possession(member.node, &network),
        });
        let members = Bounded::new(possessions.collect()).map_err(|_| "too many members")?;
        let committee =
            Committee::new(&genesis, &GenesisProofs { network, members }).map_err(|error| explain(&error))?;
        Ok(Self {
            few: certificate(&committee, &secrets, few)?,
            many: certificate(&committee, &secrets, many)?,
            committee,
        })
    }

    /// Microseconds of one check: the median of [`CHECKS`].
    fn time(&self, certificate: &Certificate) -> Result<f64, BenchError> {
        let once = || {
            let copy = certificate.clone();
            let started = Instant::now();
            let checked = copy.verify(&self.committee);
            let seconds = started.elapsed().as_secs_f64();
            checked.map(|_| seconds * 1e6).map_err(|error| BenchError::Committee(explain(&error)))
        };
        Ok(median((0..CHECKS).map(|_| once()).collect::<Result<_, _>>()?))
    }
}

fn keys(number: u8) -> (ed25519::SecretKey, bls::SecretKey) {
    (ed25519::SecretKey::from_seed(&[number; 32]), bls::SecretKey::from_seed(&[number; 32]))
}

fn member(number: u8) -> Result<Member, String> {
    let (ed25519, bls) = keys(number);
    let text = |what: &str| Text::new(format!("{what}-{number}")).map_err(|_| "a long name".to_owned());
    Ok(Member {
        node: NodeId::of(&ed25519.public()),
        ed25519: ed25519.public(),
        bls: bls.public(),
        box_key: BoxKey::new([number.wrapping_add(1); 32]),
        operator: text("operator")?,
        failure_domain: Text::new(format!("site-{number}")).map_err(|_| "a long name")?,
        weight: Weight::ONE,
        salt: Salt::new([0; 32]),
        peer: Text::new(format!("peer-{number}")).map_err(|_| "a long name")?,
    })
}

/// Signed by all slots of the profile.
fn certificate(
    committee: &Committee,
    secrets: &[bls::SecretKey],
    profile: Profile,
) -> Result<Certificate, String> {
    let statement = Statement {
        epoch: Epoch::GENESIS,
        committee: committee.id(),
        cid: BlockId::of(Codec::Raw, b"bench"),
        piece_root: PieceRoot::new([3; 32]),
        piece_bytes: 12_345,
        coding: Coding::copies(profile),
        retain_until: Epoch(1),
        durability: Durability::SYNCED,
        read_price_max: Amount::ZERO,
        order: None,
    };
    let input = statement.signing_input(committee.network());
    let places = slots_of(&statement, profile, committee);
    let receipts: Vec<_> =
        (0..profile.n).zip(places).map(|(slot, place)| (slot, secrets[place].sign(&input))).collect();
    ValidCertificate::from_receipts(statement, &receipts, committee)
        .map(|valid| valid.certificate().clone())
        .map_err(|error| explain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_certificates_are_signed_by_all_their_slots() {
        let court = Court::new().unwrap();
        for (certificate, signers) in [(&court.few, FEW), (&court.many, MEMBERS.into())] {
            let valid = certificate.clone().verify(&court.committee).unwrap();
            assert_eq!(valid.signers().count(), signers);
        }
    }
}
