use super::*;
use crate::testing::{TestNetwork, keys, member};

fn found(members: Vec<Member>) -> Result<Genesis, GenesisError> {
    Genesis::found(
        Text::new("test").unwrap(),
        Timestamp(1),
        Timestamp(2),
        vec![Profile::COPY4],
        members,
        None,
    )
}

fn four() -> Vec<Member> {
    (1..=4).map(member).collect()
}

#[test]
fn genesis_round_trips_and_its_hash_is_the_network() {
    let genesis = found(four()).unwrap();
    let bytes = genesis.to_bytes();
    assert_eq!(Genesis::from_bytes(&bytes), Ok(genesis.clone()));
    assert_eq!(genesis.network(), NetworkId::new(*blake3::hash(&bytes).as_bytes()));
    for end in (0..bytes.len()).step_by(7) {
        assert!(Genesis::from_bytes(&bytes[..end]).is_err());
    }
}

#[test]
fn bad_members_are_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Vec<Member>)| {
        let mut members = four();
        change(&mut members);
        match found(members) {
            Err(GenesisError::Member { node, source }) => (node, source),
            other => panic!("expected a refused member, got {other:?}"),
        }
    };
    let third = member(3).node;
    let mut identity = [0; 96];
    identity[0] = 0xc0;

    let garbage = refused(&|members| members[2].bls = PublicKeyBytes::new([0x11; 96]));
    assert_eq!(garbage, (third, MemberError::Bls(BlsError::Key)));
    let nothing = refused(&|members| members[2].bls = PublicKeyBytes::new(identity));
    assert_eq!(nothing, (third, MemberError::Bls(BlsError::Key)));
    let stolen = refused(&|members| members[2].node = member(9).node);
    assert_eq!(stolen, (member(9).node, MemberError::NodeId));
    let sealed = refused(&|members| members[2].box_key = BoxKey::new([0; 32]));
    assert_eq!(sealed, (third, MemberError::BoxKey(BoxKeyError)));
    let salted = refused(&|members| members[2].salt = Salt::new([1; 32]));
    assert_eq!(salted, (third, MemberError::Salt));

    let (_, twin) = refused(&|members| members[2].bls = members[0].bls);
    assert!(matches!(twin, MemberError::Duplicate { what: "BLS key", .. }));
    let (_, twin) = refused(&|members| members[2].peer = members[0].peer.clone());
    assert!(matches!(twin, MemberError::Duplicate { what: "peer id", .. }));
    let (_, twin) = refused(&|members| members.push(member(1)));
    assert!(matches!(twin, MemberError::Duplicate { what: "node id", .. }));
}

#[test]
fn parameters_are_checked() {
    let name = || Text::new("test").unwrap();
    let few = Genesis::found(name(), Timestamp(1), Timestamp(2), vec![Profile::COPY4], vec![member(1)], None);
    assert_eq!(few, Err(GenesisError::TooFewMembers { profile: Profile::COPY4, members: 1 }));
    let backwards = Genesis::found(name(), Timestamp(2), Timestamp(2), vec![Profile::COPY4], four(), None);
    assert_eq!(backwards, Err(GenesisError::Span));
    let none = Genesis::found(name(), Timestamp(1), Timestamp(2), vec![], four(), None);
    assert_eq!(none, Err(GenesisError::NoProfile));
    let mut unsorted = found(four()).unwrap();
    let mut members = unsorted.members.clone().into_inner();
    members.swap(0, 1);
    unsorted.members = Bounded::new(members).unwrap();
    assert!(matches!(unsorted.validate(), Err(GenesisError::Order { .. })));
    assert_eq!(Genesis { version: 2, ..found(four()).unwrap() }.validate(), Err(GenesisError::Version(2)));
}

#[test]
fn proofs_cover_exactly_the_members() {
    let network = TestNetwork::new(4);
    let with = |members: Vec<MemberProof>| {
        let proofs =
            GenesisProofs { network: network.genesis.network(), members: Bounded::new(members).unwrap() };
        proofs.keys(&network.genesis).map(|keys| keys.len())
    };
    let all = network.proofs.members.clone().into_inner();
    assert_eq!(with(all.clone()), Ok(4));
    assert_eq!(with(all[..3].to_vec()), Err(ProofsError::Missing { node: all[3].node }));
    assert_eq!(with(all[1..].to_vec()), Err(ProofsError::Missing { node: all[0].node }));
    let extra = MemberProof { node: NodeId::new([0xff; 32]), possession: all[0].possession };
    assert_eq!(
        with([&all[..], std::slice::from_ref(&extra)].concat()),
        Err(ProofsError::Stranger { node: extra.node })
    );
    let other = GenesisProofs { network: NetworkId::new([1; 32]), members: network.proofs.members.clone() };
    assert!(matches!(other.keys(&network.genesis), Err(ProofsError::Network { .. })));
}

/// A rogue key is built from the others' keys so that it cancels them in a sum. Its maker cannot show
/// possession, whatever proof it copies.
#[test]
fn a_rogue_key_is_refused_by_name() {
    let mut members = four();
    let rogue = members[3].node;
    members[3].bls = keys(9).1.public(); // a key whose secret the member does not have
    let genesis = found(members).unwrap();
    let network = genesis.network();
    let proofs = genesis
        .members
        .iter()
        .map(|entry| {
            let number = (1..=4).find(|number| member(*number).node == entry.node).unwrap();
            MemberProof { node: entry.node, possession: keys(number).1.sign_possession(entry.node, &network) }
        })
        .collect();
    let proofs = GenesisProofs { network, members: Bounded::new(proofs).unwrap() };
    assert_eq!(
        proofs.keys(&genesis).map(drop),
        Err(ProofsError::Member { node: rogue, source: BlsError::Possession })
    );
}
