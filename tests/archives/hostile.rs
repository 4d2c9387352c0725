//! Archives made to harm.
