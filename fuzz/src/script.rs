//! Inputs as scripts: bytes that are read as numbers and parts, for targets that need more than one value.

/// The rest of a script. Past its end there are only zeros.
#[derive(Clone, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `count`, from one byte.
    ///
    /// # Panics
    /// If `count` is zero.
    pub fn below(&mut self, count: u8) -> u8 {
        self.byte() % count
    }

    /// The next two bytes, big-endian.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next eight bytes, big-endian.
    pub fn long(&mut self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// The next part: two bytes of length, then so many bytes, or what is left of them.
    pub fn part(&mut self) -> &'a [u8] {
        let length = self.short();
        self.take(length.into())
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A part as [`Script::part`] reads it.
///
/// # Panics
/// If it has more than 65,535 bytes.
pub fn part(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("parts are short");
    [&length.to_be_bytes()[..], bytes].concat()
}
