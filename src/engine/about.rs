//! What is told of a request that takes too long: made when it enters the application, for whoever
//! reports of it then must not touch what its thread works with.

use super::{App, Conn};
use crate::http::{IdHeader, Policy, unquote};
use crate::sys::clock::monotonic_ns;

/// The part of a request's fields that a report carries.
const ABOUT_BYTES: usize = 32 * 1024;
/// Fields of [`About`] before the name of the request: method, target, path, query, version, address,
/// time waited.
const BEFORE_ID: usize = 7;

/// What is told of a request, in the form in which it travels: fields, each after its length.
#[derive(Debug, Default)]
pub struct About(pub(super) Vec<u8>);

impl About {
    /// Of the request of `conn`; `header` carries its name, if requests have names.
    pub(super) fn of<A: App>(conn: &Conn<A>, policy: &Policy, header: Option<&IdHeader>) -> Self {
        let (head, bytes) = (&conn.head, conn.head_bytes());
        let mut about = Self::default();
        about.field(head.method.of(bytes));
        about.field(&head.uri(bytes));
        match head.path_info {
            Some(path) => about.field(path.of(bytes)),
            None => {
                let (path, prefix) = (head.path.of(bytes), head.script_name(bytes, policy));
                let mut decoded = Vec::new();
                unquote(path.strip_prefix(prefix).unwrap_or(path), &mut decoded);
                about.field(&decoded);
            }
        }
        about.field(head.query.of(bytes));
        about.field(format!("{}.{}", head.version.0, head.version.1).as_bytes());
        let proxied = conn.proxy.as_ref().and_then(|info| info.source);
        match (head.param(bytes, b"REMOTE_ADDR"), proxied) {
            (Some(addr), _) => about.field(addr),
            (None, Some(source)) => about.field(source.ip().to_string().as_bytes()),
            (None, None) => about.field(conn.addr.ip_text().as_bytes()),
        }
        let waited_ns = monotonic_ns().saturating_sub(conn.waits_since_ns);
        about.field((waited_ns / 1000).to_string().as_bytes());
        about.field(conn.request_id());
        for (name, value) in conn.fields(header) {
            about.field(name);
            about.field(value);
        }
        about
    }

    /// Appends a field, cut where there is too much of it all.
    pub fn field(&mut self, bytes: &[u8]) {
        let room = ABOUT_BYTES.saturating_sub(self.0.len());
        put(&mut self.0, bytes.get(..room).unwrap_or(bytes));
    }

    /// What the request is called; empty when it has no name.
    pub(super) fn request_id(&self) -> &[u8] {
        let mut rest = &self.0[..];
        for _ in 0..BEFORE_ID {
            rest = split_field(rest).1;
        }
        split_field(rest).0
    }
}

fn split_field(fields: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = fields.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let len = u32::from_le_bytes(*len) as usize;
    rest.split_at_checked(len).unwrap_or_default()
}

/// Appends a field after its length.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(0);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes.get(..len as usize).unwrap_or_default());
}
