//! Where the socket lies, who may use it.
