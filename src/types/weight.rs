//! What a build becomes when it is installed, in bytes.

/// Bytes of a build that is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// What comes out of its archives: all of it is written.
    pub unpacked: u64,
    /// What is copied as it is: copies may share the blocks of what they are copied from.
    pub copied: u64,
}

impl Weight {
    /// Both together.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.unpacked.saturating_add(self.copied)
    }
}

/// What is known of the weight of a build that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighing {
    /// Nobody has tried to find out.
    NotYet,
    /// It cannot be found out without unpacking it, or not soon.
    InVain,
    /// This.
    Done(Weight),
}

impl Weighing {
    /// The weight, where it is known.
    #[must_use]
    pub fn weight(self) -> Option<Weight> {
        match self {
            Self::Done(weight) => Some(weight),
            Self::NotYet | Self::InVain => None,
        }
    }
}
