//! What this server accepts from whom: the settings that judge a request head.

use super::{AllowList, Limits};

/// Everything the parser needs to know of the configuration. Made once per worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Sizes.
    pub limits: Limits,
    /// `permit_unconventional_http_method`: any token, not only 3 to 20 upper-case characters.
    pub permit_unconventional_method: bool,
    /// `permit_unconventional_http_version`: any `HTTP/d.d`.
    pub permit_unconventional_version: bool,
    /// `casefold_http_method`: the method is upper-cased.
    pub casefold_method: bool,
    /// `strip_header_spaces`: blanks between a header name and its colon are dropped.
    pub strip_header_spaces: bool,
    /// `permit_obsolete_folding`: folded header lines are joined.
    pub permit_obsolete_folding: bool,
    /// `header_map`: what to do with `_` in header names.
    pub header_map: HeaderMap,
    /// `forwarder_headers`: upper-case names with `_` a trusted peer may send; `*` for all.
    pub forwarder_headers: Vec<Vec<u8>>,
    /// `forwarded_allow_ips`: whose scheme and forwarder headers are believed.
    pub forwarded_allow: AllowList,
    /// `secure_scheme_headers`: upper-case name and the exact value that means https.
    pub secure_scheme_headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// `proxy_protocol`.
    pub proxy: ProxyMode,
    /// `proxy_allow_ips`: who may send a PROXY preamble.
    pub proxy_allow: AllowList,
    /// `protocol = "uwsgi"`: who may send packets (`uwsgi_allow_ips`). None: the protocol is HTTP.
    pub uwsgi: Option<AllowList>,
    /// The listener speaks TLS: the scheme starts as https.
    pub tls: bool,
    /// `SCRIPT_NAME` of the process environment; empty when not set.
    pub script_name_env: Vec<u8>,
}

/// `header_map`: header names with `_` can't be told from those with `-` once they are in the
/// environ, so by default they are dropped.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum HeaderMap {
    /// Leave the field out.
    #[default]
    Drop,
    /// Refuse the request.
    Refuse,
    /// Keep the field.
    Dangerous,
}

/// `proxy_protocol`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum ProxyMode {
    /// No preamble is looked for.
    #[default]
    Off,
    /// Text preambles only.
    V1,
    /// Binary preambles only.
    V2,
    /// Both.
    Auto,
}
