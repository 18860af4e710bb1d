//! TLS of one connection as the engine has it: its [`Transport`], which takes the GIL for each step.

use std::any::Any;

use std::sync::{Arc, Weak};

use pyo3::prelude::*;

use super::app::PyApp;
use super::tls::TlsSession;
use crate::engine::Conn;
use crate::engine::herald::Herald;
use crate::engine::transport::{Fault, Plain, Transport};

/// The session as the engine has it.
pub(super) struct Link {
    session: Arc<Py<TlsSession>>,
    herald: Arc<SessionHerald>,
}

impl Link {
    pub(super) fn to(session: Py<TlsSession>) -> Self {
        let session = Arc::new(session);
        Self { herald: Arc::new(SessionHerald(Arc::downgrade(&session))), session }
    }
}

/// Encrypts as long as there is a connection. Requests are remembered for longer than that, and a session has
/// large buffers.
struct SessionHerald(Weak<Py<TlsSession>>);

impl Herald for SessionHerald {
    fn encrypt(&self, page: &[u8]) -> Option<Vec<u8>> {
        Python::try_attach(|py| {
            let (session, mut out) = (self.0.upgrade()?, Vec::new());
            session.get().send(py, page, &mut out).ok()?;
            session.get().farewell(py, &mut out);
            Some(out)
        })?
    }
}

impl Transport for Link {
    fn receive(
        &mut self,
        ciphertext: &[u8],
        plain: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Plain, Fault> {
        Python::attach(|py| self.session.get().take_in(py, ciphertext, plain, out))
    }

    fn end(&mut self) {
        // A full stop in a memory buffer: there is nothing that can fail.
        let _ = Python::attach(|py| self.session.get().end(py));
    }

    fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        Python::attach(|py| self.session.get().send(py, plain, out))
    }

    fn farewell(&mut self, out: &mut Vec<u8>) {
        Python::attach(|py| self.session.get().farewell(py, out));
    }

    fn is_established(&self) -> bool {
        self.session.get().is_established()
    }

    fn herald(&self) -> Option<Arc<dyn Herald>> {
        Some(self.herald.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The session of `conn`, if it is encrypted.
pub(super) fn session_of(py: Python<'_>, conn: &mut Conn<PyApp>) -> Option<Py<TlsSession>> {
    let link = conn.tls()?.transport()?.as_any().downcast_ref::<Link>()?;
    Some(link.session.clone_ref(py))
}
