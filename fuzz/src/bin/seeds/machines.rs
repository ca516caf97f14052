//! Scripts of conversations that go well, and of some that do not; the numbers are those of the target.

pub(crate) fn scripts() -> Vec<Vec<u8>> {
    [intake(), dispersal(), fetch()].concat()
}

/// After the number of the machine: whose slot, then inputs.
fn intake() -> Vec<Vec<u8>> {
    let open: &[u8] = &[0, 0, 0, 0];
    vec![
        // Room, two frames, sealed, persisted, signed, kept.
        [open, &[4, 2, 60, 7, 2, 40, 7, 1, 0, 8, 0, 9, 5, 10]].concat(),
        // Held, sealed, signed, kept.
        [open, &[5, 0, 100, 1, 0, 9, 5, 10]].concat(),
        // Another root; more bytes than announced; no room; a disk that fails.
        [open, &[5, 0, 100, 1, 1]].concat(),
        [open, &[4, 3, 255, 255, 255, 255, 255, 255, 255, 255]].concat(),
        [open, &[6]].concat(),
        [open, &[4, 2, 100, 11, 0]].concat(),
        // Terms that nobody accepts.
        vec![0, 0, 0, 4, 0, 7],
    ]
}

/// After the number of the machine: how long to wait, then slot and input each.
fn dispersal() -> Vec<Vec<u8>> {
    let each = |input: u8| (0..4).flat_map(move |slot| [slot, input]);
    let sealed = |wait: u8| -> Vec<u8> {
        let inputs = [0, 1, 8, 9].into_iter().flat_map(each);
        [1, wait].into_iter().chain(inputs).chain([0, 11]).collect()
    };
    let held: Vec<u8> = [1, 1]
        .into_iter()
        .chain(each(0))
        .chain(each(2))
        .chain([0, 11])
        .chain(each(0))
        .chain(each(2))
        .collect();
    let signed: Vec<u8> = each(4).collect();
    vec![
        [&sealed(0)[..], &signed].concat(),
        [&sealed(1)[..], &signed].concat(),
        [&held[..], &signed].concat(),
        // The second slot signs what the first did.
        [&sealed(0)[..], &[0, 4, 1, 5, 0, 2, 4, 3, 4]].concat(),
        // Lost, a pause, and dialed again; refused; nobody answers.
        vec![1, 0, 0, 10, 0, 12, 4, 0, 0, 1, 7, 0, 12, 255, 0, 12, 255],
    ]
}

/// After the number of the machine: how many providers less one, then provider and input each.
fn fetch() -> Vec<Vec<u8>> {
    vec![
        // Two are up; ten blocks are demanded and come.
        vec![2, 1, 0, 1, 1, 1, 0, 0, 0, 10, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2],
        // One lies, one lacks a block, one stalls, one is added.
        vec![2, 2, 0, 1, 1, 1, 2, 1, 0, 0, 0, 20, 0, 3, 99, 1, 4, 0, 8, 3, 1, 0, 7, 31, 3, 2, 0, 6],
        // A demand before anybody is there; an answer that nobody asked for.
        vec![2, 0, 0, 0, 0, 79, 0, 1, 0, 5, 3, 0, 2],
    ]
}
