//! Header fields of a request and of its response, as the access log looks them up.

use crate::http::{Head, IdHeader, ResponseFields};
use crate::log::Fields;

/// Those of an answer, as the application set them; none for a page of ours.
pub(super) struct AnswerFields<'a>(pub(super) Option<&'a ResponseFields>);

impl Fields for AnswerFields<'_> {
    fn visit(&self, name: &[u8], each: &mut dyn FnMut(&[u8])) {
        let Some(fields) = self.0 else { return };
        for (field, value) in fields.iter() {
            if field.eq_ignore_ascii_case(name) {
                each(value);
            }
        }
    }
}

/// Those of a request.
pub(super) struct RequestFields<'a> {
    pub(super) head: &'a Head,
    /// What its spans point into.
    pub(super) bytes: &'a [u8],
    /// The field that carries the request's name, and the name.
    pub(super) name: Option<(&'a IdHeader, &'a [u8])>,
}

impl Fields for RequestFields<'_> {
    fn visit(&self, name: &[u8], each: &mut dyn FnMut(&[u8])) {
        if let Some((header, value)) = self.name.filter(|(header, _)| header.is(name)) {
            // In place of what the client may have called it, `_` or not.
            if header.name().eq_ignore_ascii_case(name) {
                each(value);
            }
            return;
        }
        for field in &self.head.fields {
            if field.name.len() == name.len()
                && field.name.of(self.bytes).eq_ignore_ascii_case(name)
            {
                each(field.value.of(self.bytes));
            }
        }
    }
}
