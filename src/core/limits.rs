//! Token buckets for upload and download limits.
