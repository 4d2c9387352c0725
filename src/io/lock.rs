//! Lock files: one runtime a home, one home a library.
