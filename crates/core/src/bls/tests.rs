use super::*;

const NETWORK: NetworkId = NetworkId::new([9; 32]);

fn member(seed: u8) -> (SecretKey, PublicKey) {
    let secret = SecretKey::from_seed(&[seed; 32]);
    let node = NodeId::new([seed; 32]);
    let proof = secret.sign_possession(node, &NETWORK);
    let public = secret.public().prove_possession(node, &NETWORK, &proof).unwrap();
    (secret, public)
}

#[test]
fn a_sum_verifies_for_its_signers_only() {
    let members: Vec<_> = (1..=4).map(member).collect();
    let signatures: Vec<_> = members.iter().take(3).map(|(secret, _)| secret.sign(b"kept")).collect();
    let sum = Signature::sum(&signatures).unwrap();

    let three = KeySum::of(members.iter().take(3).map(|(_, key)| key)).unwrap();
    assert_eq!(three.verify(b"kept", &sum), Ok(()));
    assert_eq!(three.verify(b"lost", &sum), Err(BlsError::Signature));

    let four = KeySum::of(members.iter().map(|(_, key)| key)).unwrap();
    assert_eq!(four.verify(b"kept", &sum), Err(BlsError::Signature));
}

/// A point of the curve that is not one of the group of signatures: x = 4, y² = 68.
#[test]
fn a_sum_outside_of_the_group_is_refused() {
    let mut outside = [0; 48];
    (outside[0], outside[47]) = (0x80, 4);
    let (secret, key) = member(5);
    let sum = Signature::sum([&secret.sign(b"kept"), &Signature::new(outside)]).unwrap();
    assert_eq!(KeySum::of([&key]).unwrap().verify(b"kept", &sum), Err(BlsError::Encoding));
    assert_eq!(key.verify(b"kept", &sum), Err(BlsError::Encoding));
}

#[test]
fn possession_binds_key_node_and_network() {
    let secret = SecretKey::from_seed(&[5; 32]);
    let (node, other) = (NodeId::new([5; 32]), NodeId::new([6; 32]));
    let proof = secret.sign_possession(node, &NETWORK);
    let check = |node, network: &NetworkId| secret.public().prove_possession(node, network, &proof).map(drop);

    assert_eq!(check(node, &NETWORK), Ok(()));
    assert_eq!(check(other, &NETWORK), Err(BlsError::Possession));
    assert_eq!(check(node, &NetworkId::new([8; 32])), Err(BlsError::Possession));
}

#[test]
fn a_signature_is_no_proof_of_possession() {
    let secret = SecretKey::from_seed(&[5; 32]);
    let node = NodeId::new([5; 32]);
    let input = Possession { node, key: secret.public() }.signing_input(&NETWORK);
    let message = secret.sign(&input);
    assert_eq!(
        secret.public().prove_possession(node, &NETWORK, &message).map(drop),
        Err(BlsError::Possession)
    );
}

#[test]
fn garbage_and_identity_keys_are_refused() {
    let mut identity = [0; 96];
    identity[0] = 0xc0;
    assert_eq!(PublicKeyBytes::new(identity).validate(), Err(BlsError::Key));
    assert_eq!(PublicKeyBytes::new([0x11; 96]).validate(), Err(BlsError::Key));
    assert_eq!(PublicKeyBytes::new([0; 96]).validate(), Err(BlsError::Key));

    let mut identity = [0; 48];
    identity[0] = 0xc0;
    let sum = Signature::sum([&Signature::new(identity)]).unwrap();
    let (_, key) = member(5);
    assert_eq!(KeySum::of([&key]).unwrap().verify(b"kept", &sum), Err(BlsError::Encoding));
    assert_eq!(key.verify(b"kept", &sum), Err(BlsError::Encoding));
    assert_eq!(Signature::sum([&Signature::new([0x11; 48])]), Err(BlsError::Encoding));
    assert_eq!(Signature::sum([]), Err(BlsError::Empty));
}

/// The first research system could be forged because its hash to the curve had a known discrete logarithm:
/// scaling one signature gave a signature for any other message. Here scaling must give nothing.
fn hex(text: &str) -> [u8; 48] {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    bytes.try_into().unwrap()
}

/// Signatures by `py_ecc`, an implementation that is not ours, with the key from the seed of 32 times 7 and the hash to
/// the curve of RFC 9380. A hash that is a known multiple of the generator would let anybody turn one into another.
#[test]
fn signatures_are_those_of_the_standard() {
    let (secret, public) = member(7);
    let known = [
        (
            &b"kept"[..],
            hex(concat!(
                "ac505fb49b7aee6a2236e16bbaca775318292b0992e3780c",
                "0bfa4dcefbfb2b1785adf87ee71433d885dc2d598dff260a"
            )),
        ),
        (
            b"",
            hex(concat!(
                "8626906676ccd48451fedb1b8ff31e022055e4f655f8d89c",
                "96b29d23414ee5e351455b5c4ff9917355172ba82aa9f043"
            )),
        ),
        (
            b"lost",
            hex(concat!(
                "8f6a84e03f2dc416611f7ddd286aeeb205fed3f42a2477e5",
                "8f3c857defbd0cf569f6b9b309d231a11f587c0d9c72aa7c"
            )),
        ),
    ];
    for (message, bytes) in known {
        let signature = secret.sign(message);
        assert_eq!(signature, Signature::new(bytes));
        assert_eq!(public.verify(message, &signature), Ok(()));
    }
}

#[test]
fn secrets_never_print() {
    assert_eq!(format!("{:?}", SecretKey::from_seed(&[5; 32])), "SecretKey(bls12-381)");
}
