//! Tests of `scoreboard.rs`.

use super::*;

#[test]
fn board_is_seen_through_another_mapping_of_its_descriptor() {
    let board = Scoreboard::new(None).unwrap();
    board.slot(SLOTS - 1).unwrap().claim(99);
    let fd = board.as_fd().try_clone_to_owned().unwrap();
    let (header, slots) = map_to_read(&File::from(fd)).unwrap();
    assert!(header.version().1);
    assert_eq!(slots[SLOTS - 1].view(SLOTS - 1, 0).age, 99);
    assert_eq!(board.last_free(), Some(SLOTS - 2));
    assert!(board.slot(SLOTS).is_none());
}

#[test]
fn board_in_a_directory_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let board = Scoreboard::new(Some(dir.path())).unwrap();
    board.slot(0).unwrap().claim(1);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(Scoreboard::new(Some(Path::new("/nonexistent"))).is_err());
}

#[test]
fn what_a_child_of_the_application_writes_stays_with_it() {
    let board = Scoreboard::new(None).unwrap();
    let slot = board.claim(0, 1).unwrap();
    slot.count_response(200);
    let fd = board.as_fd().try_clone_to_owned().unwrap();
    let (_, slots) = map_to_read(&File::from(fd)).unwrap();
    slot.secede().unwrap();
    slot.count_response(200);
    slot.beat(7);
    assert_eq!(slots[0].tally().requests(), 1);
    assert_eq!(slots[0].view(0, 0).heartbeat_ns, None);
}
