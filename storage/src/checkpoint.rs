//! Kafka's text checkpoint files, version 0:
//!
//! ```text
//! 0
//! <number of lines that follow>
//! <entry>
//! ...
//! ```
//!
//! The reader takes the file's count as a claim to be checked at the end, never as a size to
//! allocate. The leader epochs of a partition, in the same format, are in
//! [`crate::leader_epoch_cache`].

pub mod offsets;

use std::fmt::{self, Write as _};
use std::str;

use thiserror::Error;

const VERSION: &str = "0";
/// Shown of a line that cannot be read.
const SHOWN_CHARS_MAX: usize = 80;

/// Why bytes are not a checkpoint file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CheckpointError {
    #[error("the file is not text")]
    NotText,
    #[error("unrecognized version of the checkpoint file: '{version}'")]
    UnknownVersion { version: String },
    #[error("malformed line {number}: '{text}'")]
    MalformedLine { number: usize, text: String },
    #[error("expected {expected} entries but found {found}")]
    WrongCount { expected: usize, found: usize },
}

/// Builds the text of a checkpoint file.
#[derive(Debug)]
pub struct CheckpointWriter {
    text: String,
}

impl CheckpointWriter {
    /// `entries`: the number of lines that will follow.
    pub fn new(entries: usize) -> Self {
        Self { text: format!("{VERSION}\n{entries}\n") }
    }

    pub fn line(&mut self, entry: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(entry);
        self.text.push('\n');
    }

    pub fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

/// One entry of a checkpoint file.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointLine<'a> {
    pub text: &'a str,
    number: usize,
}

impl CheckpointLine<'_> {
    /// The error that says that this line cannot be read.
    pub fn malformed(&self) -> CheckpointError {
        CheckpointError::MalformedLine { number: self.number, text: shown(self.text) }
    }
}

/// Reads the entries of a checkpoint file one by one.
#[derive(Debug)]
pub struct CheckpointReader<'a> {
    lines: str::Lines<'a>,
    expected: usize,
    found: usize,
}

impl<'a> CheckpointReader<'a> {
    /// An empty file has no entries: Kafka makes its files like that, and writes to them later.
    pub fn new(file: &'a [u8]) -> Result<Self, CheckpointError> {
        if file.is_empty() {
            return Ok(Self { lines: "".lines(), expected: 0, found: 0 });
        }
        let mut lines = str::from_utf8(file).map_err(|_| CheckpointError::NotText)?.lines();
        let version = lines.next().unwrap_or_default().trim();
        if version != VERSION {
            return Err(CheckpointError::UnknownVersion { version: shown(version) });
        }
        let count = lines.next().unwrap_or_default();
        let expected = count
            .trim()
            .parse()
            .map_err(|_| CheckpointError::MalformedLine { number: 2, text: shown(count) })?;
        Ok(Self { lines, expected, found: 0 })
    }

    /// The next entry. At the end of the file the count is compared, and `None` returned.
    pub fn line(&mut self) -> Result<Option<CheckpointLine<'a>>, CheckpointError> {
        let Some(text) = self.lines.next() else {
            if self.found != self.expected {
                let (expected, found) = (self.expected, self.found);
                return Err(CheckpointError::WrongCount { expected, found });
            }
            return Ok(None);
        };
        self.found += 1;
        Ok(Some(CheckpointLine { text, number: self.found + 2 }))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
