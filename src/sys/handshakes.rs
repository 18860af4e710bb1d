//! Who is in the middle of the handshake with a listener: the kernel has answered his SYN, and the last
//! packet is on its way. Neither accept(2) nor poll(2) know of him; proc_net_tcp(5) does.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// SYN_RECV, `include/net/tcp_states.h`.
const ARRIVING: &str = "03";

/// Whether anybody is, at `port` of any address of this host. Where /proc is not to be read, nobody is.
/// Takes as long as there are connections, some milliseconds for thousands.
pub(super) fn any_at(port: u16) -> bool {
    // The calling thread's network namespace.
    ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].iter().any(|path| {
        let Ok(file) = File::open(path) else { return false };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines.skip(1).any(|line| is_arriving(&line, port))
    })
}

/// Whether a line of that file is one of them.
fn is_arriving(line: &str, port: u16) -> bool {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = words.next().and_then(|local| local.rsplit_once(':'));
    let is_ours = local.is_some_and(|(_, text)| u16::from_str_radix(text, 16) == Ok(port));
    is_ours && words.nth(1) == Some(ARRIVING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let line =
            "   0: 0100007F:1F90 0100007F:C350 03 00000000:00000000 01:00000064 00000000     0";
        assert!(is_arriving(line, 8080));
        assert!(!is_arriving(line, 8081));
        assert!(!is_arriving(&line.replace(" 03 ", " 01 "), 8080));
        let six =
            "   1: 00000000000000000000000001000000:1F90 00000000000000000000000001000000:C350 03";
        assert!(is_arriving(six, 8080));
        for broken in ["", "x", "0: 1F90", "0: 0100007F:zz 0100007F:C350 03"] {
            assert!(!is_arriving(broken, 8080), "{broken}");
        }
    }

    #[test]
    fn nobody_comes_where_nobody_has_begun() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(addr).unwrap();
        assert!(!any_at(addr.port()));
    }
}
