//! Something that somebody else does for the consumer: one call at a time of each kind.

/// Whether a call is under way, and which deliveries its answer decides about.
///
/// The deliveries are moved into the call, so nothing else can be decided about them meanwhile.
#[derive(Debug, Default)]
pub(super) enum PendingCall<T> {
    /// Nothing was asked for, or the answer came.
    #[default]
    Idle,
    /// The answer decides about this.
    Waiting(T),
    /// The deliveries are gone with their channel. The call is not broken off, and no other is made beside it.
    Abandoned,
}

impl<T> PendingCall<T> {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// What the answer decides about, if it still concerns anybody.
    pub(super) fn waiting(&self) -> Option<&T> {
        match self {
            Self::Waiting(subject) => Some(subject),
            Self::Idle | Self::Abandoned => None,
        }
    }

    /// The answer came: gives what it decides about.
    pub(super) fn answered(&mut self) -> Option<T> {
        match std::mem::take(self) {
            Self::Waiting(subject) => Some(subject),
            Self::Idle | Self::Abandoned => None,
        }
    }

    /// What it was about is gone.
    pub(super) fn abandon(&mut self) {
        if !self.is_idle() {
            *self = Self::Abandoned;
        }
    }
}
