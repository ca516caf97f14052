use super::*;
use holdfast_core::block::Codec;

const NOW: Duration = Duration::ZERO;

fn block(number: usize) -> (BlockId, Vec<u8>) {
    let data = vec![u8::try_from(number).unwrap(); 100];
    (BlockId::of(Codec::Raw, &data), data)
}

fn fetch(providers: usize, demands: usize) -> (Fetch, Vec<Effect>) {
    let mut fetch = Fetch::new(NOW, providers);
    let mut out = Vec::new();
    fetch.step(NOW, Input::Demand((0..demands).map(|number| block(number).0).collect()), &mut out);
    assert_eq!(out, [], "nobody is there yet");
    (fetch, out)
}

fn step(fetch: &mut Fetch, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    fetch.step(NOW, input, &mut out);
    out
}

/// Which blocks were asked of which provider.
fn requests(effects: &[Effect]) -> Vec<(ProviderIndex, Vec<BlockId>)> {
    let request = |effect: &Effect| match effect {
        Effect::Request(index, want) => Some((*index, want.blocks.to_vec())),
        _ => None,
    };
    effects.iter().filter_map(request).collect()
}

fn ids(numbers: &[usize]) -> Vec<BlockId> {
    numbers.iter().map(|number| block(*number).0).collect()
}

#[test]
fn a_window_is_kept_open_and_refilled() {
    let (mut fetch, _) = fetch(1, 20);
    let first = step(&mut fetch, Input::Up(0));
    assert_eq!(requests(&first), [(0, ids(&[0, 1, 2, 3, 4, 5, 6, 7]))], "8 MiB of 1 MiB blocks");
    let (id, data) = block(0);
    let next = step(&mut fetch, Input::Block(0, data.clone()));
    assert_eq!(next[0], Effect::Deliver(id, data));
    assert!(!requests(&next).is_empty());
    assert!(fetch.window() > 8, "small blocks widen the window");
}

#[test]
fn requests_spread_over_providers() {
    let (mut fetch, mut out) = fetch(2, 0);
    step(&mut fetch, Input::Up(0));
    step(&mut fetch, Input::Up(1));
    fetch.step(NOW, Input::Demand(ids(&[0, 1, 2, 3])), &mut out);
    assert_eq!(requests(&out), [(0, ids(&[0, 2])), (1, ids(&[1, 3]))]);
}

#[test]
fn a_wrong_block_is_fetched_elsewhere_and_the_liar_dropped() {
    let (mut fetch, _) = fetch(2, 2);
    assert_eq!(requests(&step(&mut fetch, Input::Up(0))), [(0, ids(&[0, 1]))]);
    step(&mut fetch, Input::Up(1));
    let effects = step(&mut fetch, Input::Block(0, b"a lie".to_vec()));
    assert!(matches!(&effects[0], Effect::Drop(0, why) if why.contains("wrong bytes")));
    assert_eq!(requests(&effects), [(1, ids(&[1, 0]))]);
    assert!(fetch.lied(0) && !fetch.lied(1));
}

#[test]
fn lost_and_frozen_providers_hand_their_blocks_on() {
    let due = STALL_WINDOW;
    for (at, input) in [
        (NOW, Input::Lost(0, "garbage".into())),
        (NOW, Input::Closed(0, "closed the link".into())),
        (due, Input::Tick),
    ] {
        let (mut fetch, _) = fetch(2, 2);
        step(&mut fetch, Input::Up(0));
        step(&mut fetch, Input::Up(1));
        assert_eq!(fetch.next_tick(), Some(due));
        let mut out = Vec::new();
        fetch.step(at, input, &mut out);
        assert!(matches!(out[0], Effect::Drop(0, _)));
        assert_eq!(requests(&out), [(1, ids(&[0, 1]))]);
    }
}

fn closed() -> Input {
    Input::Closed(0, "closed the link".into())
}

#[test]
fn a_link_that_ends_while_nothing_is_asked_is_dialed_when_something_is() {
    let (mut fetch, _) = fetch(1, 0);
    step(&mut fetch, Input::Up(0));
    assert_eq!(step(&mut fetch, closed()), []);
    assert_eq!(step(&mut fetch, Input::Demand(ids(&[0]))), [Effect::Dial(0)]);
    assert_eq!(requests(&step(&mut fetch, Input::Up(0))), [(0, ids(&[0]))]);
}

#[test]
fn a_link_that_ends_is_dialed_again_if_a_right_block_came_on_it() {
    let (mut fetch, _) = fetch(1, 3);
    for number in 0..2 {
        step(&mut fetch, Input::Up(0));
        step(&mut fetch, Input::Block(0, block(number).1));
        assert_eq!(step(&mut fetch, closed()), [Effect::Dial(0)]);
    }
    assert_eq!(requests(&step(&mut fetch, Input::Up(0))), [(0, ids(&[2]))]);
    let end = step(&mut fetch, closed());
    assert_eq!(end, [Effect::Drop(0, "closed the link".into()), Effect::Unavailable(ids(&[2])[0])]);
}

#[test]
fn a_provider_that_closes_every_link_is_dialed_once_for_each_block_that_is_asked() {
    let (mut fetch, _) = fetch(2, 0);
    step(&mut fetch, Input::Up(1));
    for number in 0..5 {
        step(&mut fetch, Input::Up(0));
        assert_eq!(step(&mut fetch, closed()), []);
        assert_eq!(step(&mut fetch, Input::Tick), []);
        let asked = step(&mut fetch, Input::Demand(ids(&[number])));
        assert_eq!((&asked[0], requests(&asked)), (&Effect::Dial(0), vec![(1, ids(&[number]))]));
    }
}

#[test]
fn a_block_is_unavailable_only_when_all_were_tried() {
    let (mut fetch, _) = fetch(3, 1);
    let id = block(0).0;
    step(&mut fetch, Input::Up(0));
    assert_eq!(step(&mut fetch, Input::Missing(0, id)), [], "two are still being dialed");
    step(&mut fetch, Input::Lost(1, "refused".into()));
    assert_eq!(requests(&step(&mut fetch, Input::Up(2))), [(2, ids(&[0]))]);
    assert_eq!(step(&mut fetch, Input::Missing(2, id)), [Effect::Unavailable(id)]);
}

#[test]
fn answers_that_nobody_asked_for_end_the_conversation() {
    let (mut fetch, _) = fetch(1, 0);
    step(&mut fetch, Input::Up(0));
    let effects = step(&mut fetch, Input::Block(0, block(0).1));
    assert!(matches!(effects[..], [Effect::Drop(0, _)]));

    let (mut fetch, _) = self::fetch(1, 1);
    step(&mut fetch, Input::Up(0));
    let effects = step(&mut fetch, Input::Missing(0, block(9).0));
    assert!(matches!(effects[0], Effect::Drop(0, _)));
}
