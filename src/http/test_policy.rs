//! The default configuration, for the unit tests of this floor.

use super::{AllowList, HeaderMap, Limits, Policy, ProxyMode};

/// What Gunicorn's defaults make.
pub(super) fn usual() -> Policy {
    let loopback = AllowList::parse(&["127.0.0.1", "::1"]).unwrap();
    Policy {
        limits: Limits::new(4094, 100, 8190),
        permit_unconventional_method: false,
        permit_unconventional_version: false,
        casefold_method: false,
        strip_header_spaces: false,
        permit_obsolete_folding: false,
        header_map: HeaderMap::Drop,
        forwarder_headers: vec![b"SCRIPT_NAME".to_vec(), b"PATH_INFO".to_vec()],
        forwarded_allow: loopback.clone(),
        secure_scheme_headers: vec![
            (b"X-FORWARDED-PROTOCOL".to_vec(), b"ssl".to_vec()),
            (b"X-FORWARDED-PROTO".to_vec(), b"https".to_vec()),
            (b"X-FORWARDED-SSL".to_vec(), b"on".to_vec()),
        ],
        proxy: ProxyMode::Off,
        proxy_allow: loopback,
        uwsgi: None,
        tls: false,
        script_name_env: Vec::new(),
    }
}
