//! Bytes in hex, of any length.

/// Bytes from hex in either case; `None` if it is something else.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_pairs() {
        assert_eq!(bytes("00fFa7"), Some(vec![0, 255, 0xa7]));
        assert_eq!(bytes(""), Some(Vec::new()));
        for other in ["0", "0g", "+1", "é", "0x00", " 00"] {
            assert_eq!(bytes(other), None, "{other:?}");
        }
    }
}
