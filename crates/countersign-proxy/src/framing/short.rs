/// The first bytes of something that matters only while it is short.
#[derive(Debug)]
pub(super) struct Short<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Short<N> {
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// Adds bytes in lower case.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *place = byte.to_ascii_lowercase();
        }
        self.length = self.length.saturating_add(bytes.len());
    }

    /// The bytes; `None` where there were too many.
    pub(super) fn as_slice(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }
}
