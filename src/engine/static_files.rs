//! Files that are served without the application (`static_map`): which of them a request asks for,
//! and what the answer is. Knows no connection.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::http::ResponseFields;
use crate::http::beneath;
use crate::http::codings::Coding;
use crate::http::conditional::{Conditions, Outcome, Validators, http_date};
use crate::http::range::Selection;
use crate::log::notice::Notice;
use crate::sys::tree::{Leaf, Tree};

/// A body up to this size is read at once, and leaves with its head in one packet.
const SMALL: u64 = 16 * 1024;
/// A file that was changed so few seconds ago may change again without another mtime (RFC 9110
/// section 8.8.1): the kernel's time stamps are coarse.
const SETTLES_S: u64 = 2;

/// `static_map`, and what the types of files are.
#[derive(Clone, Debug, Default)]
pub struct StaticMap {
    /// Prefixes of paths, without a slash at their end, and the directories they stand for.
    pub places: Vec<(Vec<u8>, PathBuf)>,
    /// Content-Type by what a name ends with: `css`, in lower case.
    pub types: HashMap<Vec<u8>, Vec<u8>>,
}

/// The directories, opened.
#[derive(Debug)]
pub struct StaticFiles {
    /// Longer prefixes first.
    places: Vec<(Vec<u8>, Tree)>,
    types: HashMap<Vec<u8>, Vec<u8>>,
}

/// What a request asks for.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The decoded path below SCRIPT_NAME: what the application would see.
    pub path: &'a [u8],
    /// It is a HEAD, not a GET.
    pub is_head: bool,
    /// Its fields.
    pub conditions: Conditions<'a>,
    /// What time it is, seconds since 1970.
    pub now_s: u64,
}

/// The answer.
#[derive(Debug)]
pub struct Reply {
    /// Status line without the version.
    pub status: &'static str,
    /// Fields, with Content-Length where there is one.
    pub fields: ResponseFields,
    /// What follows them.
    pub body: Body,
    /// What the error log shall know.
    pub notice: Option<Notice>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// A few bytes, or none.
    Bytes(Vec<u8>),
    /// Part of a file.
    File {
        /// Open for reading.
        file: OwnedFd,
        /// Where the part begins.
        offset: i64,
        /// How many bytes it has.
        len: u64,
    },
}

/// A file in the form in which it is sent.
struct Chosen {
    leaf: Leaf,
    coding: Option<Coding>,
    /// There is more than one form.
    varies: bool,
}

impl StaticFiles {
    /// Opens what `map` names; `None` when that is nothing.
    pub fn open(map: &StaticMap) -> Option<Self> {
        let mut places: Vec<_> =
            map.places.iter().map(|(prefix, dir)| (prefix.clone(), Tree::new(dir))).collect();
        places.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        (!places.is_empty()).then(|| Self { places, types: map.types.clone() })
    }

    /// The answer to a GET or HEAD; `None` leaves it to the application.
    pub fn answer(&mut self, ask: &Ask<'_>) -> Option<Reply> {
        let under = |(prefix, _): &&mut (Vec<u8>, Tree)| {
            let rest = ask.path.strip_prefix(prefix.as_slice());
            rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        let (prefix, tree) = self.places.iter_mut().find(under)?;
        let name = beneath(ask.path, prefix)?;
        match choose(tree, name, ask) {
            Ok(None) => None,
            Ok(Some(chosen)) => Some(send(chosen, content_type(&self.types, name), ask)),
            Err(error) => {
                let dir = tree.path().to_string_lossy();
                let name = String::from_utf8_lossy(name);
                Some(fail(&error, format!("{dir}/{name}"), ask))
            }
        }
    }
}

/// The file called `name` in the form that the client wants. A form that is older than the file was
/// forgotten by whoever changed it; compared by seconds, as some copiers leave no more.
fn choose(tree: &mut Tree, name: &[u8], ask: &Ask<'_>) -> io::Result<Option<Chosen>> {
    let Some(leaf) = tree.open(name)? else { return Ok(None) };
    let mut forms = Vec::new();
    for coding in Coding::ALL {
        // One that can't be read is none.
        let form = tree.open(&[name, coding.suffix().as_bytes()].concat()).ok().flatten();
        if let Some(form) = form.filter(|form| form.modified_s >= leaf.modified_s) {
            forms.push((coding, form));
        }
    }
    let varies = !forms.is_empty();
    let wanted = ask.conditions.wishes.choose(forms.iter().map(|(coding, _)| *coding));
    let form = forms.into_iter().find(|(coding, _)| Some(*coding) == wanted);
    Ok(Some(match form {
        Some((coding, leaf)) => Chosen { leaf, coding: Some(coding), varies },
        None => Chosen { leaf, coding: None, varies },
    }))
}

fn send(chosen: Chosen, content_type: &[u8], ask: &Ask<'_>) -> Reply {
    let Chosen { leaf, coding, varies } = chosen;
    let etag = etag(&leaf, coding);
    let weak = leaf.modified_s + SETTLES_S > ask.now_s && leaf.modified_s <= ask.now_s;
    let validators = Validators { etag: etag.as_bytes(), weak, modified_s: leaf.modified_s };
    let mut fields = ResponseFields::default();
    let mut say = |name: &str, value: &[u8]| {
        // Ours are well-formed; a type of the system's table that is not is left out.
        let _ = fields.push(name.as_bytes(), value);
    };
    let outcome = ask.conditions.judge(&validators);
    if outcome == Outcome::Failed {
        return plain("412 Precondition Failed", ask);
    }
    // RFC 9110 section 8.8.2.1: not later than Date.
    say("Last-Modified", http_date(leaf.modified_s.min(ask.now_s)).as_bytes());
    say("ETag", if weak { format!("W/{etag}") } else { etag.clone() }.as_bytes());
    if varies {
        say("Vary", b"Accept-Encoding");
    }
    if outcome == Outcome::NotModified {
        let (body, notice) = (Body::Bytes(Vec::new()), None);
        return Reply { status: "304 Not Modified", fields, body, notice };
    }
    let selected = match ask.is_head {
        // Section 14.2: only GET has ranges.
        true => Selection::Whole,
        false => ask.conditions.select(&validators, leaf.len),
    };
    say("Accept-Ranges", b"bytes");
    let (status, start, end) = match selected {
        Selection::Whole => ("200 OK", 0, leaf.len),
        Selection::Part { start, end } => {
            say("Content-Range", format!("bytes {start}-{}/{}", end - 1, leaf.len).as_bytes());
            ("206 Partial Content", start, end)
        }
        Selection::Unsatisfiable => {
            let mut reply = plain("416 Range Not Satisfiable", ask);
            let range = format!("bytes */{}", leaf.len);
            let _ = reply.fields.push(b"Content-Range", range.as_bytes());
            return reply;
        }
    };
    say("Content-Type", content_type);
    say("X-Content-Type-Options", b"nosniff");
    if let Some(coding) = coding {
        say("Content-Encoding", coding.name().as_bytes());
    }
    say("Content-Length", (end - start).to_string().as_bytes());
    match body(leaf.file, start, end - start, ask.is_head) {
        Ok(body) => Reply { status, fields, body, notice: None },
        Err(error) => fail(&error, String::from_utf8_lossy(ask.path).into_owned(), ask),
    }
}

fn body(file: OwnedFd, start: u64, len: u64, is_head: bool) -> io::Result<Body> {
    if is_head || len == 0 {
        return Ok(Body::Bytes(Vec::new()));
    }
    if len > SMALL {
        // No file is larger than that.
        let offset = i64::try_from(start).unwrap_or(i64::MAX);
        return Ok(Body::File { file, offset, len });
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    File::from(file).read_exact_at(&mut bytes, start)?;
    Ok(Body::Bytes(bytes))
}

/// Says which state of the file this is: when it was changed, and how long it is. Not its inode,
/// which differs between machines that serve the same files.
fn etag(leaf: &Leaf, coding: Option<Coding>) -> String {
    let form = coding.map_or(String::new(), |coding| format!("-{}", coding.name()));
    format!("\"{:x}.{:x}-{:x}{form}\"", leaf.modified_s, leaf.modified_ns, leaf.len)
}

fn content_type<'a>(types: &'a HashMap<Vec<u8>, Vec<u8>>, name: &[u8]) -> &'a [u8] {
    let file = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let mut parts = file.rsplitn(2, |byte| *byte == b'.');
    let suffix = match (parts.next(), parts.next()) {
        (Some(suffix), Some(_)) => suffix.to_ascii_lowercase(),
        _ => Vec::new(),
    };
    types.get(&suffix).map_or(b"application/octet-stream", Vec::as_slice)
}

/// An answer that says what its status says.
fn plain(status: &'static str, ask: &Ask<'_>) -> Reply {
    let text = format!("{}\n", status.get(4..).unwrap_or_default());
    let mut fields = ResponseFields::default();
    let _ = fields.push(b"Content-Type", b"text/plain; charset=utf-8");
    let _ = fields.push(b"Content-Length", text.len().to_string().as_bytes());
    let bytes = if ask.is_head { Vec::new() } else { text.into_bytes() };
    Reply { status, fields, body: Body::Bytes(bytes), notice: None }
}

/// What is there, but can't be given.
fn fail(error: &io::Error, file: String, ask: &Ask<'_>) -> Reply {
    let status = match error.kind() {
        io::ErrorKind::PermissionDenied => "403 Forbidden",
        _ => "500 Internal Server Error",
    };
    let error = error.to_string();
    let notice = Some(Notice::StaticFile { file: file.escape_debug().to_string(), error });
    Reply { notice, ..plain(status, ask) }
}
