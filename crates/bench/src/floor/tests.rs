use holdfast_store::disk::Aligned;

use super::*;

fn seconds(job: &Job) -> f64 {
    let job = serde_json::to_string(job).unwrap();
    match perform(job.as_ref()).unwrap() {
        Answer::Seconds(seconds) => seconds,
        Answer::Parts(parts) => panic!("parts where a time was due: {parts:?}"),
    }
}

/// Every floor checks by itself that all bytes arrived, and cleans up.
#[test]
fn floors_move_files_of_any_size_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    for bytes in [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, (1 << 20) - 1, 1 << 20, (3 << 20) + 12_345] {
        let content: Vec<u8> = (0..bytes).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        std::fs::write(&file, content).unwrap();
        for job in [
            Job::Put { file: file.clone(), folder: work.clone() },
            Job::Get { file: file.clone(), folder: work.clone() },
            Job::Cid { file: file.clone() },
        ] {
            assert!(seconds(&job) > 0.0, "{job:?} of {bytes} bytes");
            assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0, "{job:?} leaves files behind");
        }
    }
}

#[test]
fn small_floors_take_time_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    assert!(seconds(&Job::Small { folder: folder.path().into(), rounds: 3 }) > 0.0);
    assert!(seconds(&Job::Verify { rounds: 3 }) > 0.0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_read_is_an_error_and_not_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let job = serde_json::to_string(&Job::Cid { file: missing }).unwrap();
    assert!(matches!(perform(job.as_ref()), Err(FloorError::Io(_))));
    assert!(matches!(perform("no job".as_ref()), Err(FloorError::Job(_))));
}

#[test]
fn a_written_file_holds_what_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut writer = direct::Writer::create(&path, 5000).unwrap();
    let mut block = Aligned::new(4096);
    for (filled, byte) in [(4096, 1), (904, 2)] {
        block.clear();
        block.space().fill(byte);
        block.advance(filled);
        writer.write(&block).unwrap();
    }
    writer.finish().unwrap();
    let content = std::fs::read(&path).unwrap();
    assert_eq!((content.len(), content[4095], content[4096], content[4999]), (5000, 1, 2, 2));
}
