//! Decodes JSON of clients to Python objects.
//!
//! Decodes less than `_core/json_decoding.py` does, and nothing differently: it refuses a document that
//! is deep, wrong or has numbers at the limits, and Python decodes that again, or explains the fault.

use std::cell::RefCell;
use std::fmt;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The keys of objects that a thread remembers: documents of a client have mostly the same.
const KEYS: usize = 256;
/// Longer keys are not remembered.
const MAX_KEY: usize = 32;
/// From this magnitude on, a number may be an integer that Rust has no type for.
const LARGE: f64 = 9_223_372_036_854_775_808.0;

thread_local! {
    static REMEMBERED: RefCell<SharedKeys> = const { RefCell::new(SharedKeys(Vec::new())) };
}

/// Decodes a document; `None` if Python is to decode it.
pub(super) fn decode<'py>(py: Python<'py>, document: &[u8]) -> Option<Bound<'py, PyAny>> {
    REMEMBERED.with(|keys| {
        // Borrowed already: a finalizer of Python code that runs while an object is made decodes too.
        let mut keys = keys.try_borrow_mut().ok()?;
        // Checked at once: serde_json would check each string.
        let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(document).ok()?);
        let value = JsonDecoder { py, keys: &mut keys }.deserialize(&mut json).ok()?;
        json.end().ok().map(|()| value)
    })
}

/// Makes the Python object of a value.
struct JsonDecoder<'a, 'py> {
    py: Python<'py>,
    keys: &'a mut SharedKeys,
}

impl<'py> JsonDecoder<'_, 'py> {
    fn inner(&mut self) -> JsonDecoder<'_, 'py> {
        JsonDecoder { py: self.py, keys: self.keys }
    }
}

impl<'de, 'py> DeserializeSeed<'de> for JsonDecoder<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for JsonDecoder<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.py, value).to_owned().into_any())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        value.into_pyobject(self.py).map(Bound::into_any).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        value.into_pyobject(self.py).map(Bound::into_any).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        // serde_json reads `-0` and integers over 64 bits as floats, too.
        if value.abs() >= LARGE || (value == 0.0 && value.is_sign_negative()) {
            return Err(E::custom("a number at the limits"));
        }
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.py, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.py);
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.append(item).map_err(A::Error::custom)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self::Value, A::Error> {
        let object = PyDict::new(self.py);
        while let Some(key) = members.next_key_seed(KeyDecoder(self.inner()))? {
            let value = members.next_value_seed(self.inner())?;
            object.set_item(key, value).map_err(A::Error::custom)?;
        }
        Ok(object.into_any())
    }
}

/// Makes the `str` of a key, or returns the remembered one.
struct KeyDecoder<'a, 'py>(JsonDecoder<'a, 'py>);

impl<'de, 'py> DeserializeSeed<'de> for KeyDecoder<'_, 'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for KeyDecoder<'_, 'py> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.0.keys.get(self.0.py, value))
    }
}

/// SharedKeys with their `str`, each in the place that its text gives.
struct SharedKeys(Vec<Option<(Box<str>, Py<PyString>)>>);

impl SharedKeys {
    fn get<'py>(&mut self, py: Python<'py>, text: &str) -> Bound<'py, PyString> {
        if text.len() > MAX_KEY {
            return PyString::new(py, text);
        }
        if self.0.is_empty() {
            self.0.resize_with(KEYS, || None);
        }
        let place = &mut self.0[place_of(text)];
        if let Some((known, object)) = place
            && **known == *text
        {
            return object.bind(py).clone();
        }
        let object = PyString::new(py, text);
        *place = Some((text.into(), object.clone().unbind()));
        object
    }
}

/// Returns a number below [`KEYS`] (FNV-1a).
fn place_of(text: &str) -> usize {
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 16) as usize % KEYS
}
