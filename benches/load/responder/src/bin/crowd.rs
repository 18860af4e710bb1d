//! A client with many connections, some of which ask and all of which stay open.
//!
//! wrk opens all its connections at once, which overruns a listener's backlog, and keeps none idle.
//! This one opens them one after the other, each with one request that is answered, and then lets
//! `ACTIVE` of them ask again and again, each as soon as its answer is there. The CPU time of the
//! server's processes is read at both ends of the counted seconds, while the load goes on.
//!
//! usage: `crowd ADDRESS SOURCE CONNECTIONS ACTIVE WARM_SECONDS SECONDS PID...`
//!
//! `SOURCE` is the first address that connections come from: an address has ports for some of them
//! only. Prints a line of JSON.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

/// The kernel gives an address 28,000 ports, of which some are still in TIME_WAIT.
const PER_SOURCE: usize = 4_000;
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Latencies are counted in microseconds up to this.
const SLOWEST_US: usize = 2_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Plan {
    server: SocketAddr,
    source: Ipv4Addr,
    connections: usize,
    active: usize,
    warm: Duration,
    counted: Duration,
    pids: Vec<u32>,
}

impl Plan {
    fn parse(args: &[String]) -> Outcome<Self> {
        let [server, source, connections, active, warm, counted, pids @ ..] = args else {
            let usage = "ADDRESS SOURCE CONNECTIONS ACTIVE WARM_SECONDS SECONDS PID...";
            return Err(usage.into());
        };
        let plan = Self {
            server: server.parse()?,
            source: source.parse()?,
            connections: connections.parse()?,
            active: active.parse()?,
            warm: Duration::from_secs_f64(warm.parse()?),
            counted: Duration::from_secs_f64(counted.parse()?),
            pids: pids.iter().map(|pid| pid.parse()).collect::<Result<_, _>>()?,
        };
        if plan.active == 0 || plan.active > plan.connections {
            return Err("between one and all connections can be active".into());
        }
        Ok(plan)
    }
}

fn run(args: &[String]) -> Outcome<String> {
    let plan = Plan::parse(args)?;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", plan.server);
    let mut open = Vec::with_capacity(plan.connections);
    let mut answer = 0;
    for number in 0..plan.connections {
        let (socket, size) = join(&plan, number, request.as_bytes())?;
        answer = size;
        open.push(socket);
    }
    // Those that ask are spread over all.
    let step = plan.connections / plan.active;
    let mut idle = Vec::new();
    let mut asking = Vec::with_capacity(plan.active);
    for (number, socket) in open.into_iter().enumerate() {
        if number % step == 0 && asking.len() < plan.active {
            socket.set_nonblocking(true)?;
            asking.push(Asking {
                stream: TcpStream::from_std(socket.into()),
                missing: answer,
                sent: Instant::now(),
            });
        } else {
            idle.push(socket);
        }
    }
    Crowd::new(asking, answer, request.into_bytes())?.load(&plan)
}

/// A new connection that has had its first answer, and how long that was.
fn join(plan: &Plan, number: usize, request: &[u8]) -> Outcome<(Socket, usize)> {
    let shift = u32::try_from(number / PER_SOURCE)?;
    let source = Ipv4Addr::from_bits(plan.source.to_bits() + shift);
    let mut socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into())?;
    socket.connect(&plan.server.into())?;
    socket.set_read_timeout(Some(ANSWER_LIMIT))?;
    socket.set_tcp_nodelay(true)?;
    socket.write_all(request)?;
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = socket.read(&mut piece)?;
        if read == 0 {
            return Err(format!("connection {number} was closed").into());
        }
        got.extend_from_slice(&piece[..read]);
        if let Some(size) = size_of(&got)? {
            return Ok((socket, size));
        }
    }
}

/// Bytes of a complete answer; none when more must come.
fn size_of(got: &[u8]) -> Outcome<Option<usize>> {
    let text = String::from_utf8_lossy(got).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    if !head.starts_with("http/1.1 200") {
        return Err(format!("answered {head}").into());
    }
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.ok_or("an answer without its length")?.trim().parse()?;
    if head.contains("connection: close") {
        return Err("the server closes".into());
    }
    Ok((body.len() >= length).then_some(head.len() + 4 + length))
}

struct Asking {
    stream: TcpStream,
    /// Bytes of the answer that have not come.
    missing: usize,
    sent: Instant,
}

struct Crowd {
    poll: Poll,
    asking: Vec<Asking>,
    answer: usize,
    request: Vec<u8>,
    requests: usize,
    latencies: Vec<u32>,
}

impl Crowd {
    fn new(mut asking: Vec<Asking>, answer: usize, request: Vec<u8>) -> Outcome<Self> {
        let poll = Poll::new()?;
        for (number, one) in asking.iter_mut().enumerate() {
            poll.registry().register(&mut one.stream, Token(number), Interest::READABLE)?;
        }
        Ok(Self { poll, asking, answer, request, requests: 0, latencies: vec![0; SLOWEST_US + 1] })
    }

    fn load(mut self, plan: &Plan) -> Outcome<String> {
        for number in 0..self.asking.len() {
            self.ask(number)?;
        }
        self.serve_until(Instant::now() + plan.warm)?;
        self.requests = 0;
        self.latencies.fill(0);
        let began = Instant::now();
        let before = cpu_ticks(&plan.pids)?;
        self.serve_until(began + plan.counted)?;
        let after = cpu_ticks(&plan.pids)?;
        let seconds = began.elapsed().as_secs_f64();
        Ok(format!(
            "{{\"requests\": {}, \"seconds\": {seconds:.6}, \"user_ticks\": {}, \
             \"system_ticks\": {}, \"p50_us\": {}, \"p99_us\": {}}}",
            self.requests,
            after.0 - before.0,
            after.1 - before.1,
            self.percentile(0.50),
            self.percentile(0.99),
        ))
    }

    fn serve_until(&mut self, end: Instant) -> Outcome<()> {
        let mut events = Events::with_capacity(1024);
        let mut buf = [0; 65536];
        let mut last = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            match self.poll.poll(&mut events, Some(end - now)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            if !events.is_empty() {
                last = now;
            } else if last.elapsed() > ANSWER_LIMIT {
                return Err("no answer any more".into());
            }
            for event in &events {
                self.read(event.token().0, &mut buf)?;
            }
        }
    }

    fn ask(&mut self, number: usize) -> Outcome<()> {
        let Some(one) = self.asking.get_mut(number) else { return Ok(()) };
        one.missing = self.answer;
        one.sent = Instant::now();
        // The request is far smaller than an empty send buffer.
        if one.stream.write(&self.request)? != self.request.len() {
            return Err("a request did not fit".into());
        }
        Ok(())
    }

    fn read(&mut self, number: usize, buf: &mut [u8]) -> Outcome<()> {
        let Some(one) = self.asking.get_mut(number) else { return Ok(()) };
        let read = match one.stream.read(buf) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            result => result?,
        };
        if read == 0 || read > one.missing {
            let left = one.missing;
            return Err(format!("{read} bytes where {left} were missing").into());
        }
        one.missing -= read;
        if one.missing > 0 {
            return Ok(());
        }
        let micros = usize::try_from(one.sent.elapsed().as_micros())?;
        if let Some(count) = self.latencies.get_mut(micros.min(SLOWEST_US)) {
            *count += 1;
        }
        self.requests += 1;
        self.ask(number)
    }

    fn percentile(&self, share: f64) -> usize {
        let wanted = (self.requests as f64 * share) as usize;
        let mut seen = 0;
        for (micros, count) in self.latencies.iter().enumerate() {
            seen += *count as usize;
            if seen > wanted {
                return micros;
            }
        }
        SLOWEST_US
    }
}

/// CPU time that processes have used, user and system, in the kernel's ticks: proc(5).
fn cpu_ticks(pids: &[u32]) -> Outcome<(u64, u64)> {
    let (mut user, mut system) = (0, 0);
    for pid in pids {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, rest) = stat.rsplit_once(')').ok_or("no stat")?;
        let mut fields = rest.split_whitespace().skip(11);
        user += fields.next().ok_or("no utime")?.parse::<u64>()?;
        system += fields.next().ok_or("no stime")?.parse::<u64>()?;
    }
    Ok((user, system))
}
