//! The one layout of `.fw` text.
