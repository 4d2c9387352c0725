//! What a face may ask for.
