//! Access decisions of service meshes, against truth tables.
//!
//! ```text
//!  ../shared/data/mesh/   small worlds and questions about them, where that is there
//!  pinned/                a part of our own, in the same form, which is always there
//! ```

mod tables;
