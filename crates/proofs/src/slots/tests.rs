use super::*;
use crate::genesis::Weight;
use crate::testing::member;
use holdfast_core::block::Codec;
use holdfast_core::codec::Text;

fn members(count: u8) -> Vec<Member> {
    (1..=count).map(member).collect()
}

fn bucket(number: u16) -> Bucket {
    Bucket::new(number).unwrap()
}

/// Golden vectors: the same values stand in `testdata/slots.json`, which other implementations read.
#[test]
fn golden_vectors_hold() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../testdata/slots.json")).unwrap();
    let mut read = 0;
    for vector in vectors["orders"].as_array().unwrap() {
        let count = u8::try_from(vector["members"].as_u64().unwrap()).unwrap();
        let mut members = members(count);
        for change in vector["changes"].as_array().unwrap() {
            let entry = &mut members[usize::try_from(change["member"].as_u64().unwrap()).unwrap() - 1];
            if let Some(weight) = change["weight"].as_u64() {
                entry.weight = Weight::new(weight.try_into().unwrap()).unwrap();
            }
            if let Some(operator) = change["operator"].as_str() {
                entry.operator = Text::new(operator).unwrap();
            }
            if let Some(domain) = change["failure_domain"].as_str() {
                entry.failure_domain = Text::new(domain).unwrap();
            }
        }
        let number = u16::try_from(vector["bucket"].as_u64().unwrap()).unwrap();
        let found: Vec<u64> = order(bucket(number), &members).iter().map(|place| *place as u64 + 1).collect();
        let expected: Vec<u64> =
            vector["order"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(found, expected, "bucket {number}: {vector}");
        read += 1;
    }
    for vector in vectors["buckets"].as_array().unwrap() {
        let cid: BlockId = vector["cid"].as_str().unwrap().parse().unwrap();
        assert_eq!(u64::from(Bucket::of(&cid).number()), vector["bucket"].as_u64().unwrap());
        read += 1;
    }
    assert!(read >= 8, "only {read} vectors were read");
}

#[test]
fn every_member_stands_once_in_every_order() {
    for number in [0, 1, 4095] {
        let mut places = order(bucket(number), &members(9));
        places.sort_unstable();
        assert_eq!(places, (0..9).collect::<Vec<_>>());
    }
}

#[test]
fn a_leaver_moves_only_its_own_slots() {
    let all = members(9);
    for number in 0..200 {
        let before: Vec<_> = order(bucket(number), &all).iter().map(|place| all[*place].node).collect();
        let fewer: Vec<_> = all[1..].to_vec();
        let after: Vec<_> = order(bucket(number), &fewer).iter().map(|place| fewer[*place].node).collect();
        let without: Vec<_> = before.into_iter().filter(|node| *node != all[0].node).collect();
        assert_eq!(after, without);
    }
}

#[test]
fn weight_draws_in_proportion() {
    let mut members = members(8);
    members[0].weight = Weight::new(7).unwrap();
    let first = (0..Bucket::COUNT).filter(|number| order(bucket(*number), &members)[0] == 0).count();
    // Half of all tickets: 2,048 of 4,096, and four standard deviations are 128.
    assert!((1920..2176).contains(&first), "{first}");
}

#[test]
fn operators_and_domains_are_spread_before_they_repeat() {
    let mut members = members(6);
    for place in [0, 1] {
        members[place].operator = Text::new("one").unwrap();
    }
    for place in [2, 3] {
        members[place].failure_domain = Text::new("cellar").unwrap();
    }
    for number in 0..500 {
        let order = order(bucket(number), &members);
        let second = |pair: [usize; 2]| {
            pair.map(|place| order.iter().position(|p| *p == place).unwrap()).into_iter().max().unwrap()
        };
        assert_eq!(second([0, 1]), 5, "a repeated operator comes last");
        assert_eq!(second([2, 3]), 4, "a repeated domain comes before it");
    }
}

#[test]
fn buckets_are_the_first_twelve_bits() {
    let cid = BlockId::of(Codec::Raw, b"hold fast");
    let hash = blake3::hash(&cid.to_cid().to_bytes());
    let expected = u16::from(hash.as_bytes()[0]) << 4 | u16::from(hash.as_bytes()[1]) >> 4;
    assert_eq!(Bucket::of(&cid).number(), expected);
    assert_eq!(Bucket::new(4096), None);
}
