//! The filter `tojson` of chat templates.

use std::io;

use minijinja::ErrorKind;
use minijinja::value::{Kwargs, Value};
use serde::Serialize as _;
use serde_json::ser::Formatter;

/// The most bytes of a value.
const JSON: usize = 1 << 24;

/// The deepest nesting of a value.
const DEPTH: usize = 64;

/// A value as Python's `json.dumps` writes it, other scripts as they are.
pub(crate) fn to_json(value: &Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let indent = options.get("indent")?;
    options.assert_all_used()?;
    let mut out = Bounded(Vec::new());
    let python = Python { indent, depth: 0, filled: false };
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, python));
    written.map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(String::from_utf8_lossy(&out.0).into_owned())
}

/// Text up to a limit.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.len() + bytes.len() > JSON {
            true => Err(io::Error::other("too much JSON")),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Python's layout: on one line with a space after every comma and colon, or a line for every value.
struct Python {
    indent: Option<usize>,
    depth: usize,
    /// Whether what is about to end has anything in it.
    filled: bool,
}

impl Python {
    fn begin(&mut self, out: &mut (impl io::Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        match self.depth > DEPTH {
            true => Err(io::Error::other("values nest too deep")),
            false => out.write_all(bracket),
        }
    }

    fn item(&self, out: &mut (impl io::Write + ?Sized), first: bool) -> io::Result<()> {
        match (self.indent, first) {
            (None, true) => Ok(()),
            (None, false) => out.write_all(b", "),
            (Some(_), true) => self.line(out),
            (Some(_), false) => out.write_all(b",").and_then(|()| self.line(out)),
        }
    }

    fn end(&mut self, out: &mut (impl io::Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.filled && self.indent.is_some() {
            self.line(out)?;
        }
        self.filled = true;
        out.write_all(bracket)
    }

    fn line(&self, out: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
        let width = self.indent.unwrap_or_default().saturating_mul(self.depth).min(JSON);
        out.write_all(b"\n")?;
        out.write_all(&vec![b' '; width])
    }
}

impl Formatter for Python {
    fn begin_array<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.item(out, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, _out: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.item(out, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, _out: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }
}
