//! Every request of `tests/corpus/requests.json` through floor 0, whole and byte by byte.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use rgunicorn::http::{
    AllowList, BodyDecoder, BodyEvent, Framing, Head, HeadReader, HeaderMap, Limits, ParseError,
    Peer, Policy, Preamble, ProxyInfo, ProxyMode, poll_preamble, split_script_name, unquote,
};

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
        let mut seen = Client::new(case).serve(split(&raw));
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

/// One connection, served as the engine would: buffer, head, body, next head.
struct Client {
    policy: Policy,
    peer: Peer,
    buf: Vec<u8>,
    reader: HeadReader,
    head: Head,
    body: Option<BodyDecoder>,
    proxy: Option<ProxyInfo>,
    preamble_is_over: bool,
    is_over: bool,
    requests: Vec<Value>,
}

impl Client {
    fn new(case: &Value) -> Self {
        let policy = policy(case);
        let peer = match case["peer"].as_str().unwrap_or("127.0.0.1") {
            "unix" => Peer::Unix,
            ip => Peer::Ip(ip.parse().unwrap()),
        };
        Self {
            preamble_is_over: policy.proxy == ProxyMode::Off,
            policy,
            peer,
            buf: Vec::new(),
            reader: HeadReader::default(),
            head: Head::default(),
            body: None,
            proxy: None,
            is_over: false,
            requests: Vec::new(),
        }
    }

    fn serve(mut self, pieces: Vec<&[u8]>) -> Value {
        let error = pieces.into_iter().try_for_each(|piece| self.receive(piece)).err();
        let on_eof = self.body.as_ref().and_then(BodyDecoder::on_eof);
        let mut result = json!({});
        if let Some(error) = error.or(on_eof) {
            self.forget_unfinished_body();
            result = json!({
                "error": error.name(),
                "status": error.status(),
                "log": error.to_string(),
                "message": error.page_message(),
            });
        } else if self.is_short() {
            result["incomplete"] = json!(true);
            self.forget_unfinished_body();
        }
        for request in &mut self.requests {
            shorten(request.as_object_mut().unwrap());
        }
        result["requests"] = json!(self.requests);
        result
    }

    /// Gunicorn calls a Content-Length body that stops early complete.
    fn is_short(&self) -> bool {
        match &self.body {
            Some(_) => self.head.framing == Framing::Chunked,
            None => !self.is_over && !self.buf.is_empty(),
        }
    }

    fn forget_unfinished_body(&mut self) {
        if let (Some(_), Some(request)) = (self.body.take(), self.requests.last_mut()) {
            request.as_object_mut().unwrap().remove("body");
        }
    }

    fn receive(&mut self, piece: &[u8]) -> Result<(), ParseError> {
        self.buf.extend_from_slice(piece);
        while !self.is_over {
            let goes_on = match self.body {
                Some(_) => self.read_body()?,
                None if self.preamble_is_over => self.read_head()?,
                None => self.read_preamble()?,
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn read_preamble(&mut self) -> Result<bool, ParseError> {
        match poll_preamble(&self.buf, &self.peer, &self.policy)? {
            Preamble::NeedMore => return Ok(false),
            Preamble::Absent => {}
            Preamble::Present { len, info } => {
                self.buf.drain(..len);
                self.proxy = Some(info);
            }
        }
        self.preamble_is_over = true;
        Ok(true)
    }

    fn read_head(&mut self) -> Result<bool, ParseError> {
        let trusted = self.policy.forwarded_allow.allows(&self.peer);
        if !self.reader.poll(&mut self.buf, trusted, &self.policy, &mut self.head)? {
            assert!(self.reader.room(self.buf.len(), &self.policy) > 0);
            return Ok(false);
        }
        // Gunicorn first hands out the request, then makes the environ: so in its order of errors.
        let request = describe(&self.head, &self.buf, &self.policy, self.proxy.take())?;
        self.requests.push(request);
        self.body = Some(BodyDecoder::new(self.head.framing, &self.policy));
        self.buf.drain(..self.head.len);
        Ok(true)
    }

    fn read_body(&mut self) -> Result<bool, ParseError> {
        let decoder = self.body.as_mut().unwrap();
        let (taken, event) = decoder.next(&self.buf)?;
        let request = self.requests.last_mut().unwrap();
        match event {
            BodyEvent::NeedMore => assert_eq!(taken, self.buf.len()),
            BodyEvent::Data { start, end } => {
                assert!(start < end && end <= taken);
                let so_far = request["body"].as_str().unwrap().to_owned();
                request["body"] = json!(so_far + &text(&self.buf[start..end]));
            }
            BodyEvent::End => {
                if !decoder.trailers().is_empty() {
                    let pairs = decoder.trailers().iter();
                    request["trailers"] = pairs.map(|(n, v)| json!([text(n), text(v)])).collect();
                }
                self.body = None;
                self.is_over = !self.head.keep_alive;
            }
        }
        self.buf.drain(..taken);
        Ok(event != BodyEvent::NeedMore)
    }
}

fn describe(
    head: &Head,
    buf: &[u8],
    policy: &Policy,
    proxy: Option<ProxyInfo>,
) -> Result<Value, ParseError> {
    let script_name = head.script_name(buf, policy);
    let mut path_info = Vec::new();
    unquote(split_script_name(head.path.of(buf), script_name)?, &mut path_info);
    let fields = head.fields.iter().map(|field| {
        json!([text(&field.name.of(buf).to_ascii_uppercase()), text(field.value.of(buf))])
    });
    let mut request = json!({
        "method": text(head.method.of(buf)),
        "target": text(head.target.of(buf)),
        "version": [head.version.0, head.version.1],
        "scheme": if head.https { "https" } else { "http" },
        "script_name": text(script_name),
        "path_info": text(&path_info),
        "query": text(head.query.of(buf)),
        "headers": fields.collect::<Vec<_>>(),
        "keep_alive": head.keep_alive,
        "expect_continue": head.expect_continue,
        "body": "",
    });
    if let Some(info) = proxy {
        let ip = |a: Option<std::net::SocketAddr>| a.map(|a| a.ip().to_string());
        let port = |a: Option<std::net::SocketAddr>| a.map(|a| a.port());
        request["proxy"] = json!([
            info.protocol.name(),
            ip(info.source),
            port(info.source),
            ip(info.destination),
            port(info.destination),
        ]);
    }
    Ok(request)
}

fn shorten(request: &mut Map<String, Value>) {
    let Some(body) = request.get("body") else { return };
    let length = body.as_str().unwrap().chars().count();
    if length > 200 {
        request.remove("body");
        request.insert("body_length".to_owned(), json!(length));
    }
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
        tls: false,
        script_name_env: case["env"]["SCRIPT_NAME"].as_str().unwrap_or("").as_bytes().to_vec(),
    }
}
