//! Announces and finds peers by multicast DNS.
