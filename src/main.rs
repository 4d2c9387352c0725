//! The `potluck` binary: wires the layers together and maps errors to exit codes.

fn main() {}
