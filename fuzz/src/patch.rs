//! How an input changes something valid: a few edits, so that a fuzzer gets far with few bytes.

/// Reads an input from its front; gives zeros at its end.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The whole input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    /// The next two bytes, big-endian.
    pub fn short(&mut self) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    /// A place in `0..=length`.
    fn place(&mut self, length: usize) -> usize {
        self.short() % (length + 1)
    }

    /// The next `length` bytes, or what is left.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A piece with its length in front, as an input of its own.
    pub fn piece(&mut self) -> Input<'a> {
        let length = self.short();
        Input(self.bytes(length))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// `valid` with the edits that `input` asks for. An empty input changes nothing.
///
/// An edit is a byte for its kind, modulo 5, and its operands: 0 the rest of the input instead of everything; 1 a byte
/// set to another (place, byte); 2 bytes taken out (place, length); 3 bytes put in (place, length, bytes); 4 bytes
/// repeated elsewhere (place, length, place). Places have two bytes, lengths one.
pub fn patch(valid: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    while !input.is_empty() {
        match input.byte() % 5 {
            0 => return input.rest().to_vec(),
            1 => {
                let (place, byte) = (input.place(bytes.len()), input.byte());
                if let Some(old) = bytes.get_mut(place) {
                    *old = byte;
                }
            }
            2 => {
                let (place, length) = (input.place(bytes.len()), usize::from(input.byte()));
                bytes.drain(place..bytes.len().min(place + length));
            }
            3 => {
                let (place, length) = (input.place(bytes.len()), usize::from(input.byte()));
                bytes.splice(place..place, input.bytes(length).iter().copied());
            }
            _ => {
                let (from, length) = (input.place(bytes.len()), usize::from(input.byte()));
                let piece = bytes[from..bytes.len().min(from + length)].to_vec();
                let to = input.place(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(valid: &[u8], edits: &[u8]) -> Vec<u8> {
        patch(valid, &mut Input::new(edits))
    }

    #[test]
    fn an_edit_does_what_it_says() {
        assert_eq!(patched(b"abc", b""), b"abc");
        assert_eq!(patched(b"abc", b"\x00xyz"), b"xyz");
        assert_eq!(patched(b"abc", b"\x01\x00\x01X"), b"aXc");
        assert_eq!(patched(b"abc", b"\x02\x00\x01\x01"), b"ac");
        assert_eq!(patched(b"abc", b"\x03\x00\x01\x02XY"), b"aXYbc");
        assert_eq!(patched(b"abc", b"\x04\x00\x00\x02\x00\x03"), b"abcab");
    }

    #[test]
    fn what_ends_early_is_an_edit_too() {
        for kind in 0..=4 {
            for end in 0..4 {
                let _ = patched(b"abc", &[kind, 0xff, 0xff, 0xff][..=end.min(3)]);
            }
        }
    }
}
