//! Encodes Python objects as JSON for clients.
//!
//! Encodes less than `_core/json_encoding.py` does, and nothing differently: it refuses a value that is
//! deep or has no JSON form, and Python encodes that again, or explains the fault. Python also converts
//! each value of a type that JSON does not have.

use std::cell::Cell;
use std::ptr;

use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// A deeper value, or one that contains itself, is for Python.
const MAX_DEPTH: usize = 254;
/// Numbers below it, but zero, have an exponent.
const SMALLEST_FIXED: f64 = 1e-4;
/// A larger buffer is not used again.
const MAX_BUFFER: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Encodes a value, and returns what `finish` makes of the JSON; `None` if Python is to encode it.
/// `simplify` converts a value of another type by one level, and raises if it has no JSON form.
///
/// # Errors
///
/// An exception of `simplify` that is not an error, such as `KeyboardInterrupt`.
pub(super) fn encode<T>(
    value: &Bound<'_, PyAny>,
    simplify: &Bound<'_, PyAny>,
    finish: impl FnOnce(&[u8]) -> T,
) -> PyResult<Option<T>> {
    // Taken: `simplify` may encode something itself.
    let mut encoder = Encoder { simplify, json: BUFFER.take() };
    let encoded = match encoder.value(value, 0) {
        Ok(()) => Ok(Some(finish(&encoder.json))),
        Err(Stop::Refused) => Ok(None),
        Err(Stop::Raised(error)) => Err(error),
    };
    if encoder.json.capacity() <= MAX_BUFFER {
        encoder.json.clear();
        BUFFER.set(encoder.json);
    }
    encoded
}

/// Why a value is not encoded.
enum Stop {
    Refused,
    Raised(PyErr),
}

struct Encoder<'a, 'py> {
    simplify: &'a Bound<'py, PyAny>,
    json: Vec<u8>,
}

impl<'py> Encoder<'_, 'py> {
    /// Writes a value that is within `depth` others.
    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Stop> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.int(number)
        } else if let Ok(object) = value.cast_exact::<PyDict>() {
            self.object(object, depth)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.array(list.len(), |index| list.get_item(index), depth)
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            write_float(&mut self.json, number.value());
            Ok(())
        } else if value.is_none() {
            self.json.extend_from_slice(b"null");
            Ok(())
        } else if let Ok(value) = value.cast_exact::<PyBool>() {
            self.json.extend_from_slice(if value.is_true() { b"true" } else { b"false" });
            Ok(())
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.array(tuple.len(), |index| tuple.get_item(index), depth)
        } else {
            self.other(value, depth)
        }
    }

    /// Writes a value of another type as the value that Python converts it to.
    fn other(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Stop> {
        let depth = deeper(depth)?;
        match self.simplify.call1((value,)) {
            Ok(value) => self.value(&value, depth),
            Err(error) if error.is_instance_of::<PyException>(value.py()) => Err(Stop::Refused),
            Err(error) => Err(Stop::Raised(error)),
        }
    }

    fn array(
        &mut self,
        len: usize,
        item: impl Fn(usize) -> PyResult<Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<(), Stop> {
        let depth = deeper(depth)?;
        self.json.push(b'[');
        for index in 0..len {
            if index > 0 {
                self.json.push(b',');
            }
            // `simplify` may have removed it.
            self.value(&item(index).map_err(|_| Stop::Refused)?, depth)?;
        }
        self.json.push(b']');
        Ok(())
    }

    fn object(&mut self, object: &Bound<'py, PyDict>, depth: usize) -> Result<(), Stop> {
        let depth = deeper(depth)?;
        let py = object.py();
        let (len, mut position) = (object.len(), 0);
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        let start = self.json.len();
        // SAFETY: `object` is a dict, and the interpreter is attached. PyO3's iterator panics if
        // `simplify` changes the dict; this function then returns any of its items.
        while unsafe {
            ffi::PyDict_Next(object.as_ptr(), &raw mut position, &raw mut key, &raw mut value)
        } != 0
        {
            // SAFETY: both are borrowed from the dict, which nothing has changed since.
            let (key, value) =
                unsafe { (Bound::from_borrowed_ptr(py, key), Bound::from_borrowed_ptr(py, value)) };
            self.json.push(if self.json.len() == start { b'{' } else { b',' });
            self.text(key.cast_exact::<PyString>().map_err(|_| Stop::Refused)?)?;
            self.json.push(b':');
            self.value(&value, depth)?;
            if object.len() != len {
                return Err(Stop::Refused);
            }
        }
        self.json.extend_from_slice(if self.json.len() == start { b"{}" } else { b"}" });
        Ok(())
    }

    fn text(&mut self, text: &Bound<'py, PyString>) -> Result<(), Stop> {
        // Half a surrogate pair has no UTF-8.
        write_text(&mut self.json, text.to_str().map_err(|_| Stop::Refused)?);
        Ok(())
    }

    fn int(&mut self, number: &Bound<'py, PyInt>) -> Result<(), Stop> {
        if let Ok(number) = number.extract::<i64>() {
            self.json.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            return Ok(());
        }
        // Python limits the number of its digits.
        let digits = number.str().map_err(|_| Stop::Refused)?;
        self.json.extend_from_slice(digits.to_str().map_err(|_| Stop::Refused)?.as_bytes());
        Ok(())
    }
}

/// Writes a text in quotes.
fn write_text(json: &mut Vec<u8>, text: &str) {
    if has_escape(text.as_bytes()) {
        serde_json::to_writer(json, text).expect("a `str` is written to memory");
        return;
    }
    json.reserve(text.len() + 2);
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// Writes a number as Python's `repr` does, and `null` for one that JSON does not have.
fn write_float(json: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        json.extend_from_slice(b"null");
    } else if number != 0.0 && number.abs() < SMALLEST_FIXED {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once("e-").unwrap_or((&text, ""));
        json.extend_from_slice(format!("{digits}e-{exponent:0>2}").as_bytes());
    } else {
        json.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    }
}

fn deeper(depth: usize) -> Result<usize, Stop> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(Stop::Refused) }
}

/// Whether JSON escapes a byte of a text.
fn has_escape(text: &[u8]) -> bool {
    let is_escaped = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    // Without an early end: the compiler compares many bytes at once.
    let (chunks, rest) = text.as_chunks::<16>();
    let in_chunk = |chunk: &[u8; 16]| chunk.iter().fold(false, |found, b| found | is_escaped(*b));
    chunks.iter().any(in_chunk) || rest.iter().any(|byte| is_escaped(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(number: f64) -> String {
        let mut json = Vec::new();
        write_float(&mut json, number);
        String::from_utf8(json).expect("UTF-8")
    }

    #[test]
    fn a_float_is_written_as_python_writes_it() {
        let written = [0.1, -0.0, 1e16, 1e22, 123456789012345680.0, 1e-4, 1.5e-5, -1e-7, 5e-324];
        let written = written.map(float);
        let expected = [
            "0.1",
            "-0.0",
            "1e+16",
            "1e+22",
            "1.2345678901234568e+17",
            "0.0001",
            "1.5e-05",
            "-1e-07",
            "5e-324",
        ];
        assert_eq!(written, expected);
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(float), ["null", "null"]);
    }

    #[test]
    fn any_text_is_written_as_serde_json_writes_it() {
        let words = &["\"", "\\", "\n", "\u{1f}", "\u{7f}", "é", "\u{2028}", "0123456789abcdef"];
        crate::fuzz::check("json", words, |text| {
            let mut json = Vec::new();
            write_text(&mut json, text);
            assert_eq!(String::from_utf8(json).ok(), serde_json::to_string(text).ok());
            for bits in text.as_bytes().chunks_exact(8) {
                let bits = u64::from_le_bytes(bits.try_into().expect("8 bytes"));
                let number = f64::from_bits(bits);
                if number.is_finite() {
                    assert_eq!(float(number).parse(), Ok(number));
                }
            }
        });
    }
}
