//! How much was ever written to a TCP connection, as the kernel knows it: what the other side has
//! acknowledged (tcp(7), TCP_INFO; `tcpi_bytes_acked` since Linux 4.1), and what it has not (SIOCOUTQ).

use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `tcpi_bytes_acked` of `struct tcp_info` (linux/tcp.h), in words of eight bytes.
const BYTES_ACKED: usize = 15;
/// Between two looks the other side may acknowledge something.
const LOOKS: usize = 8;

/// Bytes that were written to `socket`, which was accepted, by whomever (who has connected counts one more); `None`: it is no TCP socket, or the kernel does not
/// tell. Four system calls or so.
pub fn of(socket: BorrowedFd<'_>) -> Option<u64> {
    for _ in 0..LOOKS {
        let acked = acked(socket)?;
        let owed = owed(socket)?;
        if self::acked(socket)? == acked {
            return Some(acked + owed);
        }
    }
    None
}

fn acked(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut info = [0_u64; BYTES_ACKED + 1];
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
    let all = result == 0 && length as usize == size_of_val(&info);
    all.then_some(info[BYTES_ACKED])
}

fn owed(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut owed: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes an int there.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut owed) };
    u64::try_from(owed).ok().filter(|_| result == 0)
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
