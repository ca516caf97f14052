//! A total look at protobuf messages, before a parser that trusts lengths sees them.
//!
//! The protobuf reader under the dag-pb and UnixFS libraries adds lengths without checking them, so a field
//! that claims to reach beyond its message can send it backwards, for ever. Whatever a peer chose is walked
//! here first: every field must end inside its message.

/// Bytes that are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed protobuf message")]
pub struct MalformedMessage;

/// A field's number and, if it is length-delimited, its bytes.
pub type Field<'a> = (u64, Option<&'a [u8]>);

/// Walks the fields of a message.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Starts at the first field.
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn varint(&mut self) -> Result<u64, MalformedMessage> {
        let mut value = 0_u64;
        for place in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or(MalformedMessage)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            // More than 64 bits, or longer than needed: no encoder writes that, and parsers differ on it.
            if (place == 9 && bits > 1) || (place > 0 && *byte == 0) {
                return Err(MalformedMessage);
            }
            value |= bits << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(MalformedMessage)
    }

    fn take(&mut self, bytes: u64) -> Result<&'a [u8], MalformedMessage> {
        let bytes = usize::try_from(bytes).map_err(|_| MalformedMessage)?;
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(MalformedMessage)?;
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), MalformedMessage> {
        // The library drops the higher bits of a tag, and would see another field than we do.
        let tag = u32::try_from(self.varint()?).map_err(|_| MalformedMessage)?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(MalformedMessage),
        };
        Ok((u64::from(tag >> 3), value))
    }
}

/// What a field holds.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no message here uses.
    Fixed,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, MalformedMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field.map(|(number, value)| match value {
            Value::Bytes(bytes) => (number, Some(bytes)),
            Value::Number(_) | Value::Fixed => (number, None),
        }))
    }
}

/// Checks a dag-pb node: its fields, and those of every link (field 2).
///
/// # Errors
/// If a field does not end inside its message.
pub fn check_dag_pb(node: &[u8]) -> Result<(), MalformedMessage> {
    for field in Fields::of(node) {
        if let (2, Some(link)) = field? {
            Fields::of(link).try_for_each(|field| field.map(drop))?;
        }
    }
    Ok(())
}

/// Checks a dag-pb node that claims to be UnixFS: also its data (field 1), in which field 8 is a message and
/// field 4 may be a packed list of integers.
///
/// # Errors
/// If a field does not end inside its message.
pub fn check_unixfs(node: &[u8]) -> Result<(), MalformedMessage> {
    check_dag_pb(node)?;
    for field in Fields::of(node) {
        let (1, Some(data)) = field? else { continue };
        for field in Fields::of(data) {
            match field? {
                (8, Some(time)) => Fields::of(time).try_for_each(|field| field.map(drop))?,
                (4, Some(packed)) => {
                    let mut list = Fields::of(packed);
                    while !list.0.is_empty() {
                        list.varint()?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What a dag-pb node says of the part of a UnixFS file that lies under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNode<'a> {
    /// Content that lies in the node itself.
    pub data: &'a [u8],
    /// Bytes of content under the node, as it claims.
    pub content_bytes: Option<u64>,
    /// Bytes of content under each of its links, in their order, as it claims.
    pub part_bytes: Vec<u64>,
}

/// Reads a dag-pb node as part of a UnixFS file; `None` if it is of another kind, such as a folder.
///
/// # Errors
/// If a field does not end inside its message, or one that stands for itself is there twice.
pub fn unixfs_file(node: &[u8]) -> Result<Option<FileNode<'_>>, MalformedMessage> {
    fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), MalformedMessage> {
        slot.replace(value).map_or(Ok(()), |_| Err(MalformedMessage))
    }
    check_unixfs(node)?;
    let mut message = None;
    for field in Fields::of(node) {
        if let (1, Some(data)) = field? {
            once(&mut message, data)?;
        }
    }
    let (mut kind, mut data, mut content_bytes, mut part_bytes) = (None, None, None, Vec::new());
    let mut fields = Fields::of(message.unwrap_or_default());
    while !fields.0.is_empty() {
        match fields.field()? {
            (1, Value::Number(number)) => once(&mut kind, number)?,
            (2, Value::Bytes(bytes)) => once(&mut data, bytes)?,
            (3, Value::Number(bytes)) => once(&mut content_bytes, bytes)?,
            (4, Value::Number(bytes)) => part_bytes.push(bytes),
            (4, Value::Bytes(packed)) => {
                let mut list = Fields::of(packed);
                while !list.0.is_empty() {
                    part_bytes.push(list.varint()?);
                }
            }
            _ => {}
        }
    }
    // Kinds of UnixFS: 0 is raw, what old leaves are, and 2 is file.
    let is_file = matches!(kind, Some(0 | 2));
    Ok(is_file.then(|| FileNode { data: data.unwrap_or_default(), content_bytes, part_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UnixFS data whose modification time is a message with a field that reaches beyond it and wraps around:
    /// the library's reader went back and read the same bytes for ever.
    #[test]
    fn a_length_that_wraps_around_does_not_send_the_reader_backwards() {
        let wrapping = [
            0x0a, 0x11, // data, 17 bytes
            0x08, 0x02, // type: file
            0x42, 0x01, 0x08, // time: a message of one byte, which is half a field
            0x00, 0x1a, 0xf3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, // 2^64 − 13 bytes
        ];
        assert_eq!(wrapping.len(), 19);
        assert_eq!(check_dag_pb(&wrapping), Ok(()), "data is opaque to dag-pb");
        assert_eq!(check_unixfs(&wrapping), Err(MalformedMessage));
    }

    #[test]
    fn fields_end_inside_their_message() {
        let good = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4];
        let fields: Vec<_> = Fields::of(&good).map(Result::unwrap).collect();
        assert_eq!(fields, [(1, None), (2, Some(&b"hi"[..])), (3, None)]);
        for bad in [
            &[0x12, 0x03, b'h', b'i'][..],                                 // too short
            &[0x08],                                                       // no value
            &[0x0b],                                                       // groups are not used
            &[0x09, 1, 2, 3],                                              // eight bytes needed
            &[0x80; 11],                                                   // an endless varint
            &[0x08, 0x80, 0x00],                                           // zero in two bytes
            &[0xc2, 0x80, 0x80, 0x80, 0x10, 0x00],                         // a tag of 33 bits
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], // 65 bits
        ] {
            assert!(Fields::of(bad).any(|field| field.is_err()), "{bad:02x?}");
        }
    }

    #[test]
    fn a_file_node_says_how_its_content_is_spread() {
        let node = |data: &[u8]| {
            let mut node = vec![0x0a, u8::try_from(data.len()).unwrap()];
            node.extend(data);
            node
        };
        let file = |data: &'static [u8], content_bytes, part_bytes: &[u64]| {
            Ok(Some(FileNode { data, content_bytes, part_bytes: part_bytes.to_vec() }))
        };
        let parts = [0x08, 2, 0x18, 0x80, 0x02, 0x20, 0xac, 0x01, 0x20, 84]; // 256 bytes: 172 and 84
        assert_eq!(unixfs_file(&node(&parts)), file(b"", Some(256), &[172, 84]));
        let packed = [0x08, 2, 0x22, 3, 0xac, 0x01, 84];
        assert_eq!(unixfs_file(&node(&packed)), file(b"", None, &[172, 84]));
        assert_eq!(unixfs_file(&node(&[0x08, 0, 0x12, 2, b'h', b'i'])), file(b"hi", None, &[]));
        assert_eq!(unixfs_file(&node(&[0x08, 1])), Ok(None), "a folder");
        assert_eq!(unixfs_file(&[]), Ok(None), "no data at all");
        assert_eq!(unixfs_file(&node(&[0x08, 2, 0x18, 1, 0x18, 2])), Err(MalformedMessage), "two lengths");
        assert_eq!(unixfs_file(&[0x0a, 2, 0x08, 2, 0x0a, 2, 0x08, 2]), Err(MalformedMessage), "twice data");
    }
}
