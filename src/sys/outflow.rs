//! How much was ever written to a TCP connection, as the kernel knows it: TCP_INFO of tcp(7), whose layout
//! is `struct tcp_info` of linux/tcp.h.

use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The words of it that are looked at; the last since Linux 4.19.
const WORDS: usize = 27;
/// Its lower half: bytes that were written and never sent.
const NOT_SENT: usize = 18;
/// Bytes that were sent, each time one was.
const SENT: usize = 25;
/// Bytes of these that had been sent before.
const SENT_AGAIN: usize = 26;

/// Bytes that were written to `socket`, which was accepted, by whomever. `None`: it is no TCP socket, or the
/// kernel does not tell. One system call.
pub fn of(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut info = [0_u64; WORDS];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes `length` bytes at most, which is the size of `info`, and says how many.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 || length as usize != size_of_val(&info) {
        return None;
    }
    let [not_sent @ .., _, _, _, _] = info[NOT_SENT].to_ne_bytes();
    let not_sent = u64::from(u32::from_ne_bytes(not_sent));
    (info[SENT] + not_sent).checked_sub(info[SENT_AGAIN])
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn all_that_was_written_counts_read_or_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(of(server.as_fd()), Some(0));
        client.write_all(b"request").unwrap();
        for round in 1..=3 {
            server.write_all(&[0; 1000]).unwrap();
            assert_eq!(of(server.as_fd()), Some(round * 1000));
            if round == 2 {
                client.read_exact(&mut [0; 2000]).unwrap();
            }
        }
        // What does not fit is not written.
        server.set_nonblocking(true).unwrap();
        let mut all = 3000;
        while let Ok(n) = server.write(&[0; 1 << 20]) {
            all += n as u64;
        }
        assert_eq!(of(server.as_fd()), Some(all));
    }

    #[test]
    fn of_others_nobody_knows() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(of(one.as_fd()), None);
        assert_eq!(of(std::io::stdin().as_fd()), None);
    }
}
