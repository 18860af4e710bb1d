//! Requests for worker classes with a loop of their own: the same floor 0 as the engine's, fed from
//! Python.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::errors;
use super::ffi::latin1;
use super::options;
use crate::http::{
    Framing, Head, HeadReader, IdHeader, ParseError, Peer, Policy, Preamble, ProxyInfo, admit,
    poll_preamble, request_id, split_script_name, unquote, uwsgi_vars,
};
use crate::sys::unique;

/// What is accepted from whom: the settings that judge requests, read once.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct Rules {
    pub(super) policy: Arc<Policy>,
    id_header: Option<Arc<IdHeader>>,
}

#[pymethods]
impl Rules {
    /// `uwsgi`: requests come as packets. `protocol` is for those who choose a parser.
    #[new]
    #[pyo3(signature = (cfg, uwsgi=false))]
    fn new(cfg: &Bound<'_, PyAny>, uwsgi: bool) -> PyResult<Self> {
        let id_header = options::id_header(cfg)?.map(Arc::new);
        Ok(Self { policy: Arc::new(options::policy_for(cfg, uwsgi)?), id_header })
    }

    /// The name of a request: as its client calls it, if that is to be believed, or a new one. None
    /// without `request_id_header`, or when the kernel has no random numbers. `peer`: as for
    /// `RequestDecoder`; `values`: of the fields of that name.
    fn request_id(&self, peer: Option<&str>, values: Vec<Vec<u8>>) -> Option<String> {
        self.id_header.as_ref()?;
        let trusted = self.policy.forwarded_allow.allows(&peer_of(peer));
        let sent = match &values[..] {
            [value] if trusted && request_id::is_sane(value) => Some(&value[..]),
            _ => None,
        };
        name(sent)
    }
}

/// Reads one request head, or one uwsgi packet; the first of a connection with its PROXY preamble.
#[pyclass(module = "rgunicorn._core")]
pub(crate) struct RequestDecoder {
    policy: Arc<Policy>,
    id_header: Option<Arc<IdHeader>>,
    peer: Peer,
    buf: Vec<u8>,
    preamble_over: bool,
    proxy: Option<ProxyInfo>,
    reader: HeadReader,
    head: Head,
    over: bool,
}

#[pymethods]
impl RequestDecoder {
    /// `peer`: IP address; None for a unix socket, which is trusted. `first`: nothing has been read
    /// of this connection, so it may begin with a PROXY preamble.
    #[new]
    #[pyo3(signature = (rules, peer, first=true))]
    fn new(rules: &Bound<'_, Rules>, peer: Option<&str>, first: bool) -> Self {
        Self {
            policy: rules.get().policy.clone(),
            id_header: rules.get().id_header.clone(),
            peer: peer_of(peer),
            buf: Vec::new(),
            preamble_over: !first,
            proxy: None,
            reader: HeadReader::default(),
            head: Head::default(),
            over: false,
        }
    }

    /// Takes the next bytes of the connection. Returns what the head says, once it is complete.
    fn feed<'py>(
        &mut self,
        py: Python<'py>,
        data: &Bound<'py, PyBytes>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.over {
            return Err(PyValueError::new_err("this decoder has read its request"));
        }
        self.buf.extend_from_slice(data.as_bytes());
        match self.poll() {
            Ok(false) => Ok(None),
            Ok(true) => {
                self.over = true;
                self.facts(py).map(Some)
            }
            Err(error) => {
                self.over = true;
                let raised = errors::parse_error(py, &error);
                if error.has_request() {
                    raised.value(py).setattr("facts", self.facts(py)?)?;
                }
                Err(raised)
            }
        }
    }

    /// What was fed beyond the head: its body, or the next request.
    fn rest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let start = if self.over { self.head.len } else { 0 };
        PyBytes::new(py, self.buf.get(start..).unwrap_or_default())
    }

    /// Whether nothing has been fed yet, but for a PROXY preamble.
    #[getter]
    fn is_idle(&self) -> bool {
        self.buf.is_empty()
    }
}

impl RequestDecoder {
    fn poll(&mut self) -> Result<bool, ParseError> {
        admit(&self.peer, &self.policy)?;
        if !self.preamble_over {
            match poll_preamble(&self.buf, &self.peer, &self.policy)? {
                Preamble::NeedMore => return Ok(false),
                Preamble::Absent => {}
                Preamble::Present { len, info } => {
                    self.buf.drain(..len);
                    self.proxy = Some(info);
                }
            }
            self.preamble_over = true;
        }
        let trusted = self.policy.forwarded_allow.allows(&self.peer);
        self.reader.poll(&mut self.buf, trusted, &self.policy, None, &mut self.head)
    }

    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (head, bytes) = (&self.head, &self.buf[..]);
        let headers = PyList::empty(py);
        let id_header = self.id_header.as_deref();
        for field in &head.fields {
            let name = field.name.of(bytes);
            if id_header.is_some_and(|header| header.is(name)) {
                continue;
            }
            let name = latin1(py, &name.to_ascii_uppercase())?;
            headers.append((name, latin1(py, field.value.of(bytes))?))?;
        }
        let trusted = self.policy.forwarded_allow.allows(&self.peer);
        let named = id_header
            .and_then(|header| Some((header, name(header.sent(head, bytes).filter(|_| trusted))?)));
        let facts = PyDict::new(py);
        if let Some((header, name)) = &named {
            headers.append((latin1(py, &header.name().to_ascii_uppercase())?, name))?;
            facts.set_item("request_id", name)?;
        }
        facts.set_item("method", latin1(py, head.method.of(bytes))?)?;
        facts.set_item("uri", latin1(py, &head.uri(bytes))?)?;
        facts.set_item("path", latin1(py, head.path.of(bytes))?)?;
        facts.set_item("query", latin1(py, head.query.of(bytes))?)?;
        facts.set_item("version", head.version)?;
        facts.set_item("headers", headers)?;
        facts.set_item("scheme", if head.https { "https" } else { "http" })?;
        facts.set_item("keep_alive", head.keep_alive)?;
        facts.set_item("expect_continue", head.expect_continue)?;
        let script_name = head.script_name(bytes, &self.policy);
        facts.set_item("script_name", latin1(py, script_name)?)?;
        facts.set_item("chunked", head.framing == Framing::Chunked)?;
        let length = match head.framing {
            Framing::Length(length) => length,
            Framing::None | Framing::Chunked => 0,
        };
        facts.set_item("length", length)?;
        facts.set_item("proxy_protocol_info", self.proxy_info(py)?)?;
        if head.uwsgi {
            self.add_packet(py, &facts)?;
        }
        Ok(facts)
    }

    /// What only a packet says: all its variables, those among them that go into the environ as
    /// they are, and PATH_INFO if the proxy has decoded it.
    fn add_packet(&self, py: Python<'_>, facts: &Bound<'_, PyDict>) -> PyResult<()> {
        let (head, bytes) = (&self.head, &self.buf[..]);
        let (vars, params) = (PyDict::new(py), PyDict::new(py));
        for (name, value) in uwsgi_vars(bytes) {
            vars.set_item(latin1(py, &name)?, latin1(py, value)?)?;
        }
        for param in &head.params {
            params
                .set_item(latin1(py, param.name.of(bytes))?, latin1(py, param.value.of(bytes))?)?;
        }
        let path_info = head.path_info.map(|path| latin1(py, path.of(bytes))).transpose()?;
        facts.set_item("uwsgi_vars", vars)?;
        facts.set_item("params", params)?;
        facts.set_item("path_info", path_info)
    }

    /// Empty without a preamble, and for one that leaves the peer as it is (LOCAL, UNKNOWN).
    fn proxy_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let proxy = PyDict::new(py);
        let addresses = |info: &ProxyInfo| Some((info.source?, info.destination?));
        if let Some((source, destination)) = self.proxy.as_ref().and_then(addresses) {
            let protocol = if source.is_ipv6() { "TCP6" } else { "TCP4" };
            proxy.set_item("proxy_protocol", protocol)?;
            for (who, address) in [("client", source), ("proxy", destination)] {
                set_address(&proxy, who, &address)?;
            }
        }
        Ok(proxy)
    }
}

/// PATH_INFO of `path` (raw, Latin-1) below `script_name`.
#[pyfunction]
pub(crate) fn path_info<'py>(
    py: Python<'py>,
    path: &Bound<'py, PyString>,
    script_name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyString>> {
    let (path, script_name) =
        (super::start_response::octets(path)?, super::start_response::octets(script_name)?);
    let below =
        split_script_name(&path, &script_name).map_err(|error| errors::parse_error(py, &error))?;
    let mut plain = Vec::with_capacity(below.len());
    unquote(below, &mut plain);
    latin1(py, &plain)
}

/// A name that was sent, or a new one.
fn name(sent: Option<&[u8]>) -> Option<String> {
    let name = match sent {
        Some(sent) => sent.to_vec(),
        None => unique::name().ok()?.to_vec(),
    };
    String::from_utf8(name).ok()
}

fn peer_of(text: Option<&str>) -> Peer {
    text.map_or(Peer::Unix, |text| Peer::Ip(ip(text)))
}

/// An address that is none is nobody's: it is on no list but `*`.
fn ip(text: &str) -> IpAddr {
    let text = text.split('%').next().unwrap_or_default();
    text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn set_address(info: &Bound<'_, PyDict>, who: &str, address: &SocketAddr) -> PyResult<()> {
    info.set_item(format!("{who}_addr"), address.ip().to_string())?;
    info.set_item(format!("{who}_port"), address.port())
}
