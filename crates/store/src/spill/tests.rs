use super::*;
use holdfast_core::block::Codec;

fn id(number: u32) -> BlockId {
    BlockId::of(Codec::Raw, &number.to_be_bytes())
}

#[test]
fn maps_answer_alike_before_and_after_spilling() {
    let folder = tempfile::tempdir().unwrap();
    let mut map = SpillMap::<4>::new(folder.path());
    let count = u32::try_from(2 * MEMORY_ENTRIES + 100).unwrap();
    for number in 0..count {
        assert!(map.insert_new(&id(number), number.to_be_bytes()).unwrap());
    }
    for number in (0..count).step_by(997) {
        assert!(!map.insert_new(&id(number), [0; 4]).unwrap());
        assert_eq!(map.get(&id(number)).unwrap(), Some(number.to_be_bytes()));
    }
    assert_eq!(map.get(&id(count)).unwrap(), None);
    assert_eq!(map.len(), u64::from(count));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "spilled files have no name");
}

#[test]
fn stacks_return_everything_in_reverse() {
    let folder = tempfile::tempdir().unwrap();
    let mut stack = SpillStack::<4>::new(folder.path());
    let mut expected = Vec::new();
    for number in 0_u32..30_000 {
        stack.push(number.to_be_bytes()).unwrap();
        expected.push(number);
        if number % 3 == 0 {
            assert_eq!(stack.pop().unwrap(), expected.pop().map(u32::to_be_bytes));
        }
    }
    while let Some(number) = expected.pop() {
        assert_eq!(stack.pop().unwrap(), Some(number.to_be_bytes()));
    }
    assert_eq!(stack.pop().unwrap(), None);
}

#[test]
fn logs_read_back_every_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = SpillLog::<8>::new(folder.path());
    for number in 0_u64..100_000 {
        log.push(&number.to_be_bytes()).unwrap();
    }
    assert_eq!(log.len(), 100_000);
    for place in (0..100_000).step_by(777).chain([99_999]) {
        assert_eq!(log.get(place).unwrap(), place.to_be_bytes());
    }
}
