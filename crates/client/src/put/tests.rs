use super::*;

/// Each attempt was counted from the beginning, and more was reported than the piece has.
#[test]
fn bytes_that_a_slot_takes_again_are_no_progress() {
    let mut reach = Reach::default();
    assert_eq!(reach.move_to(30), 30, "an earlier put");
    assert_eq!(reach.move_by(50), 50);
    // It is lost, and has kept less than it took.
    assert_eq!(reach.move_to(60), 0);
    assert_eq!(reach.move_by(10), 0);
    assert_eq!(reach.move_by(20), 10);
    // It is lost, and has kept nothing; at the end the whole piece was counted once.
    assert_eq!(reach.move_to(0), 0);
    assert_eq!(reach.move_by(100), 10);
}
