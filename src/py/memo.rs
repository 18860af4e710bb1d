//! What applications say in their response heads again and again, checked once.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::http::{ResponseFields, SaidField};

/// Fields remembered at most.
const PLACES: usize = 16;

/// Bytes of a value at most: what is longer is seldom said twice.
const LONGEST: usize = 128;

/// The last status, and the last value that went with each name. A name is known by its object: it
/// is a constant of the application, nearly always.
#[derive(Default)]
pub(super) struct Memo {
    status: Option<Status>,
    places: [Option<Known>; PLACES],
}

/// A status that was right.
pub(super) struct Status {
    object: Py<PyAny>,
    /// The number in it.
    pub(super) code: u16,
    /// As it was said.
    pub(super) text: Vec<u8>,
}

impl Status {
    /// `object` says `text`.
    pub(super) fn new(object: &Bound<'_, PyAny>, code: u16, text: &[u8]) -> Self {
        Self { object: object.clone().unbind(), code, text: text.to_vec() }
    }
}

struct Known {
    name: Py<PyString>,
    /// A `str` that says `value`.
    object: Py<PyString>,
    /// As it was said: ASCII, with the blanks around it.
    value: Vec<u8>,
    field: SaidField,
}

impl Memo {
    /// Takes what is known of a status that was right before.
    pub(super) fn take_status(&mut self, status: &Bound<'_, PyAny>) -> Option<Status> {
        self.status.take().filter(|known| status.is(&known.object))
    }

    /// Remembers what is right.
    pub(super) fn keep_status(&mut self, py: Python<'_>, status: Status) {
        // One of a class of its own may hold on to anything.
        if status.object.bind(py).is_exact_instance_of::<PyString>() {
            self.status = Some(status);
        }
    }

    /// What was made of the field before, if it was right.
    pub(super) fn field(
        &self,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> Option<&SaidField> {
        let known = self.places.get(place_of(name))?.as_ref()?;
        if !name.is(&known.name) {
            return None;
        }
        // Most values are constants, too.
        if value.is(&known.object) {
            return Some(&known.field);
        }
        let text = value.cast_exact::<PyString>().ok()?.to_str().ok()?;
        (text.as_bytes() == known.value).then_some(&known.field)
    }

    /// Remembers the last of `fields`, which says `value`, the text of `object`.
    pub(super) fn keep_field(
        &mut self,
        name: &Bound<'_, PyAny>,
        object: &Bound<'_, PyAny>,
        value: &[u8],
        fields: &ResponseFields,
    ) {
        // Of a class of its own it may be another one each time it is looked at.
        let (Ok(text), Ok(object)) =
            (name.cast_exact::<PyString>(), object.cast_exact::<PyString>())
        else {
            return;
        };
        let Some(place) = self.places.get_mut(place_of(name)) else { return };
        if value.len() > LONGEST || !value.is_ascii() {
            return;
        }
        let known = place.get_or_insert_with(|| Known {
            name: text.clone().unbind(),
            object: object.clone().unbind(),
            value: Vec::new(),
            field: SaidField::default(),
        });
        if !text.is(&known.name) {
            known.name = text.clone().unbind();
        }
        known.object = object.clone().unbind();
        known.value.clear();
        known.value.extend_from_slice(value);
        fields.last_into(&mut known.field);
    }
}

/// Objects are 16 bytes apart at least.
fn place_of(name: &Bound<'_, PyAny>) -> usize {
    let address = name.as_ptr() as usize >> 4;
    (address ^ address >> 4) % PLACES
}
