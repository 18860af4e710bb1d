//! Every request of `tests/corpus/requests.json` through floor 0, whole and byte by byte.

#![allow(clippy::unwrap_used)]

#[path = "fuzz/session.rs"]
mod session;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use rgunicorn::http::{AllowList, Framing, HeaderMap, Limits, Peer, Policy, ProxyMode};
use session::{Outcome, Request, serve};

#[test]
fn whole() {
    run(|raw| vec![raw]);
}

#[test]
fn byte_by_byte() {
    run(|raw| raw.chunks(1).collect());
}

#[test]
fn in_two_pieces() {
    run(|raw| {
        let (first, second) = raw.split_at(raw.len() / 2);
        vec![first, second]
    });
}

fn run(split: impl Fn(&[u8]) -> Vec<&[u8]>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requests.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 500, "the corpus is not all there: {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let raw = raw(&case["raw"]);
        let mut expected = case["expect"].clone();
        let (policy, peer) = client(case);
        let mut seen = describe(&serve(&policy, peer, split(&raw)), &policy);
        ignore_size_of_line(&mut expected);
        ignore_size_of_line(&mut seen);
        if seen != expected {
            wrong.push(format!("{}\n  seen     {seen}\n  expected {expected}", case["name"]));
        }
    }
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

/// How much of a line that is too long was there depends on the pieces it came in.
fn ignore_size_of_line(result: &mut Value) {
    if result["error"] == "LimitRequestLine" {
        for key in ["log", "message"] {
            let text = result[key].as_str().unwrap();
            let (_, limit) = text.split_once(" > ").unwrap();
            result[key] = json!(limit);
        }
    }
}

fn raw(value: &Value) -> Vec<u8> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(part).collect(),
        other => latin_1(other),
    }
}

fn part(value: &Value) -> Vec<u8> {
    match value {
        Value::Array(pair) => latin_1(&pair[0]).repeat(pair[1].as_u64().unwrap() as usize),
        other => latin_1(other),
    }
}

fn latin_1(value: &Value) -> Vec<u8> {
    value.as_str().unwrap().chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

fn client(case: &Value) -> (Policy, Peer) {
    let peer = match case["peer"].as_str().unwrap_or("127.0.0.1") {
        "unix" => Peer::Unix,
        ip => Peer::Ip(ip.parse().unwrap()),
    };
    (policy(case), peer)
}

fn describe(outcome: &Outcome, policy: &Policy) -> Value {
    let requests = outcome.requests.iter().map(|request| describe_request(request, policy));
    let mut result = json!({ "requests": requests.collect::<Vec<_>>() });
    if let Some(error) = &outcome.error {
        result["error"] = json!(error.name());
        result["status"] = json!(error.status());
        result["log"] = json!(error.to_string());
        result["message"] = json!(error.page_message());
    }
    if outcome.is_cut {
        result["incomplete"] = json!(true);
    }
    result
}

fn describe_request(request: &Request, policy: &Policy) -> Value {
    let Request { head, buf, .. } = request;
    let fields = head.fields.iter().map(|field| {
        json!([text(&field.name.of(buf).to_ascii_uppercase()), text(field.value.of(buf))])
    });
    let mut seen = json!({
        "method": text(head.method.of(buf)),
        "target": text(head.target.of(buf)),
        "version": [head.version.0, head.version.1],
        "scheme": if head.https { "https" } else { "http" },
        "script_name": text(head.script_name(buf, policy)),
        "path_info": text(&request.path_info),
        "query": text(head.query.of(buf)),
        "headers": fields.collect::<Vec<_>>(),
        "keep_alive": head.keep_alive,
        "expect_continue": head.expect_continue,
    });
    // A Content-Length body that stops early just ends, as in Gunicorn.
    if request.is_complete || head.framing != Framing::Chunked {
        match request.body.len() {
            0..=200 => seen["body"] = json!(text(&request.body)),
            length => seen["body_length"] = json!(length),
        }
    }
    if !request.trailers.is_empty() {
        let pairs = request.trailers.iter();
        seen["trailers"] = pairs.map(|(name, value)| json!([text(name), text(value)])).collect();
    }
    if let Some(info) = request.proxy {
        let ip = |address: Option<SocketAddr>| address.map(|a| a.ip().to_string());
        let port = |address: Option<SocketAddr>| address.map(|a| a.port());
        seen["proxy"] = json!([
            info.protocol.name(),
            ip(info.source),
            port(info.source),
            ip(info.destination),
            port(info.destination),
        ]);
    }
    seen
}

fn policy(case: &Value) -> Policy {
    let settings = &case["settings"];
    let flag = |name: &str| settings[name].as_bool().unwrap_or(false);
    let number = |name: &str, default| settings[name].as_u64().unwrap_or(default) as usize;
    let list = |name: &str, default: &str| -> Vec<String> {
        let text = settings[name].as_str().unwrap_or(default);
        text.split(',').map(|entry| entry.trim().to_owned()).collect()
    };
    let addresses = |name: &str| {
        let entries = list(name, "127.0.0.1,::1");
        AllowList::parse(&entries.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
    };
    let bytes = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
    let usual = json!({
        "X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on",
    });
    let schemes = settings["secure_scheme_headers"].as_object();
    let schemes = schemes.unwrap_or_else(|| usual.as_object().unwrap());
    Policy {
        limits: Limits::new(
            number("limit_request_line", 4094),
            number("limit_request_fields", 100),
            number("limit_request_field_size", 8190),
        ),
        permit_unconventional_method: flag("permit_unconventional_http_method"),
        permit_unconventional_version: flag("permit_unconventional_http_version"),
        casefold_method: flag("casefold_http_method"),
        strip_header_spaces: flag("strip_header_spaces"),
        permit_obsolete_folding: flag("permit_obsolete_folding"),
        header_map: match settings["header_map"].as_str().unwrap_or("drop") {
            "refuse" => HeaderMap::Refuse,
            "dangerous" => HeaderMap::Dangerous,
            _ => HeaderMap::Drop,
        },
        forwarder_headers: list("forwarder_headers", "SCRIPT_NAME,PATH_INFO")
            .into_iter()
            .map(String::into_bytes)
            .collect(),
        forwarded_allow: addresses("forwarded_allow_ips"),
        secure_scheme_headers: schemes
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), bytes(value)))
            .collect(),
        proxy: match settings["proxy_protocol"].as_str().unwrap_or("off") {
            "v1" => ProxyMode::V1,
            "v2" => ProxyMode::V2,
            "auto" => ProxyMode::Auto,
            _ => ProxyMode::Off,
        },
        proxy_allow: addresses("proxy_allow_ips"),
        uwsgi: None,
        tls: false,
        script_name_env: case["env"]["SCRIPT_NAME"].as_str().unwrap_or("").as_bytes().to_vec(),
    }
}
