//! Scripts of conversations that go well, and of some that do not; the numbers are those of the target.

pub(crate) fn scripts() -> Vec<Vec<u8>> {
    [intake(), dispersal(), fetch()].concat()
}

/// After the number of the machine: whose slot, then inputs.
fn intake() -> Vec<Vec<u8>> {
    let open: &[u8] = &[0, 0, 0, 0];
    let receipt: &[u8] = &[9, 10, 5];
    vec![
        // Room, two frames, sealed, persisted, signed, and the certificate.
        [open, &[4, 2, 60, 8, 2, 40, 8, 1, 0], receipt, &[11, 0]].concat(),
        // Held, an eager client's data, sealed, promised, signed; another certificate.
        [open, &[6, 0, 100, 2, 100, 1, 0], receipt, &[11, 1]].concat(),
        // Where an interrupted put stopped; the rest; nobody brings the certificate.
        [open, &[5, 60, 2, 40, 8, 1, 0], receipt, &[13, 80, 13, 10]].concat(),
        // Lost on the way, too slow on the way, gone before anything.
        [open, &[4, 2, 60, 12]].concat(),
        [open, &[4, 2, 60, 8, 13, 20, 2, 1, 8, 13, 40]].concat(),
        vec![0, 0, 13, 29, 13, 1],
        // Another root; more bytes than announced; no room; a disk that fails; an enclave that refuses.
        [open, &[6, 0, 100, 1, 1]].concat(),
        [open, &[4, 3, 255, 255, 255, 255, 255, 255, 255, 255]].concat(),
        [open, &[7]].concat(),
        [open, &[4, 2, 100, 14, 0]].concat(),
        [open, &[4, 2, 100, 8, 1, 0, 9, 14, 2]].concat(),
        // Terms that nobody accepts.
        vec![0, 0, 0, 4, 0, 7],
    ]
}

/// After the number of the machine: how long to wait, how long the piece is, then slot and input each.
fn dispersal() -> Vec<Vec<u8>> {
    let each = |input: u8| (0..4).flat_map(move |slot| [slot, input]);
    let signed: Vec<u8> = each(4).collect();
    let root = [0, 11];
    // A short piece is sent at once; then it is accepted, taken and sealed.
    let sealed = |wait: u8| -> Vec<u8> {
        let inputs = [0, 1, 9].into_iter().flat_map(each);
        [1, wait, 0].into_iter().chain(inputs).chain(root).collect()
    };
    // A long one waits for the answer.
    let long: Vec<u8> = {
        let inputs = [0, 1, 9].into_iter().flat_map(each);
        [1, 0, 1].into_iter().chain(inputs).chain(root).collect()
    };
    let held: Vec<u8> = [1, 1, 1]
        .into_iter()
        .chain(each(0))
        .chain(each(2))
        .chain(root)
        .chain(each(0))
        .chain(each(2))
        .collect();
    vec![
        [&sealed(0)[..], &signed].concat(),
        [&sealed(1)[..], &signed].concat(),
        [&long[..], &signed].concat(),
        [&held[..], &signed].concat(),
        // The second slot signs what the third does.
        [&sealed(0)[..], &[0, 4, 1, 5, 2, 4, 3, 4]].concat(),
        // Some bytes are taken, then no more.
        vec![1, 0, 1, 0, 0, 0, 1, 0, 8, 200, 0, 12, 99, 0, 12, 99],
        // Goes on where it stopped.
        vec![1, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 9, 0, 11, 0, 4],
        // Lost, a pause, and dialed again; refused; nobody answers.
        vec![1, 0, 0, 0, 10, 0, 12, 4, 0, 0, 1, 7, 0, 12, 255, 0, 12, 255],
    ]
}

/// After the number of the machine: how many providers less one, then provider and input each.
fn fetch() -> Vec<Vec<u8>> {
    vec![
        // Two are up; ten blocks are demanded and come.
        vec![2, 1, 0, 1, 1, 1, 0, 0, 0, 10, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2],
        // One lies, one lacks a block, one stalls, one is added.
        vec![2, 2, 0, 1, 1, 1, 2, 1, 0, 0, 0, 20, 0, 3, 99, 1, 4, 0, 8, 3, 1, 0, 7, 31, 3, 2, 0, 6],
        // A link ends while nothing is asked, and one after a block; both are dialed again.
        vec![2, 1, 0, 1, 1, 1, 0, 9, 0, 0, 0, 10, 0, 1, 1, 2, 1, 9, 0, 2, 1, 1, 0, 2, 1, 2],
        // A demand before anybody is there; an answer that nobody asked for.
        vec![2, 0, 0, 0, 0, 79, 0, 1, 0, 5, 3, 0, 2],
    ]
}
