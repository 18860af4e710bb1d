//! One connection, served as the engine serves it: preamble, head, body, next head.

use rgunicorn::http::{
    BodyDecoder, BodyEvent, Framing, Head, HeadReader, ParseError, Peer, Policy, Preamble,
    ProxyInfo, ProxyMode, Recent, admit, poll_preamble, split_script_name, unquote,
};

/// A request that came through.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) head: Head,
    /// The bytes of the head, which `head` points into.
    pub(crate) buf: Vec<u8>,
    pub(crate) proxy: Option<ProxyInfo>,
    pub(crate) path_info: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body ended as its framing says.
    pub(crate) is_complete: bool,
}

/// All that came of a connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) requests: Vec<Request>,
    pub(crate) error: Option<ParseError>,
    /// The connection ended inside a head or a chunked body.
    pub(crate) is_cut: bool,
}

/// Serves a connection from `peer` that receives `pieces` and then ends.
pub(crate) fn serve<'a>(
    policy: &Policy,
    peer: Peer,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut session = Session {
        policy,
        peer,
        buf: Vec::new(),
        reader: HeadReader::default(),
        recent: Recent::default(),
        head: Head::default(),
        body: None,
        proxy: None,
        preamble_is_over: policy.proxy == ProxyMode::Off,
        is_over: false,
        requests: Vec::new(),
    };
    let error = pieces.into_iter().try_for_each(|piece| session.receive(piece)).err();
    let error = error.or_else(|| session.body.as_ref().and_then(BodyDecoder::on_eof));
    // Gunicorn calls a Content-Length body that stops early complete.
    let is_cut = match &session.body {
        Some(_) => session.head.framing == Framing::Chunked,
        None => !session.is_over && !session.buf.is_empty(),
    };
    Outcome { requests: session.requests, is_cut: is_cut && error.is_none(), error }
}

struct Session<'p> {
    policy: &'p Policy,
    peer: Peer,
    buf: Vec<u8>,
    reader: HeadReader,
    recent: Recent,
    head: Head,
    body: Option<BodyDecoder>,
    proxy: Option<ProxyInfo>,
    preamble_is_over: bool,
    is_over: bool,
    requests: Vec<Request>,
}

impl Session<'_> {
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
        admit(&self.peer, self.policy)?;
        match poll_preamble(&self.buf, &self.peer, self.policy)? {
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
        let recent = Some(&mut self.recent);
        if !self.reader.poll(&mut self.buf, trusted, self.policy, recent, &mut self.head)? {
            assert!(self.reader.room(self.buf.len(), self.policy) > 0, "no room, yet not refused");
            return Ok(false);
        }
        let buf: Vec<u8> = self.buf.drain(..self.head.len).collect();
        let script_name = self.head.script_name(&buf, self.policy);
        let mut path_info = Vec::new();
        match self.head.path_info {
            Some(path) => path_info.extend_from_slice(path.of(&buf)),
            None => {
                unquote(split_script_name(self.head.path.of(&buf), script_name)?, &mut path_info)
            }
        }
        self.requests.push(Request {
            head: self.head.clone(),
            buf,
            proxy: self.proxy.take(),
            path_info,
            body: Vec::new(),
            trailers: Vec::new(),
            is_complete: false,
        });
        self.body = Some(BodyDecoder::new(self.head.framing, self.policy));
        Ok(true)
    }

    fn read_body(&mut self) -> Result<bool, ParseError> {
        let (Some(decoder), Some(request)) = (&mut self.body, self.requests.last_mut()) else {
            return Ok(false);
        };
        let (taken, event) = decoder.next(&self.buf)?;
        match event {
            BodyEvent::NeedMore => assert_eq!(taken, self.buf.len(), "bytes left lying"),
            BodyEvent::Data { start, end } => {
                assert!(start < end && end <= taken, "{start}..{end} of {taken}");
                request.body.extend_from_slice(&self.buf[start..end]);
            }
            BodyEvent::End => {
                assert!(decoder.is_done());
                request.trailers = decoder.trailers().to_vec();
                request.is_complete = true;
                self.body = None;
                self.is_over = !self.head.keep_alive;
            }
        }
        self.buf.drain(..taken);
        Ok(event != BodyEvent::NeedMore)
    }
}
