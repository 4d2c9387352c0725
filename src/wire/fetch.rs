//! Requests for manifests, hashes and chunks, and their answers.
