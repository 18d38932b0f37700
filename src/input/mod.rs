//! Sources → chunks of whole lines: decompression, positioned reads, spool.
//!
//! Never knows a log format, never maps a file into memory.
