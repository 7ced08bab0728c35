//! regex-lite under the name of regex: the same interface without Unicode tables and fast engines.

pub use regex_lite::*;
