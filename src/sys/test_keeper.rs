use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

#[test]
fn a_request_comes_back_as_it_was() {
    let addrs = ["127.0.0.1:80", "[::1]:65535", "[::ffff:10.0.0.1]:1"];
    let from = addrs.map(|addr| Wanted::From(addr.parse().unwrap()));
    for wanted in [Wanted::Number(7), Wanted::At(65_000), Wanted::Any(0)].into_iter().chain(from) {
        assert_eq!(Wanted::of(&wanted.to_bytes()), Some(wanted));
    }
    assert_eq!(Wanted::of(&[0; REQUEST_BYTES]), None);
    assert_eq!(Wanted::of(&[1]), None);
}

#[test]
fn a_client_is_found_by_its_address() {
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(addr) else { continue };
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, who) = listener.accept().unwrap();
        assert_eq!(Wanted::From(who).find(), Some(socket.as_raw_fd()));
        assert_eq!(Wanted::Number(socket.as_raw_fd()).find(), Some(socket.as_raw_fd()));
        // Nobody is at the other end of these.
        assert_eq!(Wanted::Number(listener.as_raw_fd()).find(), None);
        assert_eq!(Wanted::Number(i32::MAX).find(), None);
        drop((client, socket));
        assert_eq!(Wanted::From(who).find(), None);
    }
}

#[test]
fn over_a_unix_socket_it_is_the_one_that_is_still_as_it_was_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let wanted = Wanted::At(listener.as_raw_fd());
    let _clients = [(); 2].map(|()| UnixStream::connect(&path).unwrap());
    let (known, new) = (listener.accept().unwrap().0, listener.accept().unwrap().0);
    assert_eq!(wanted.find(), None);
    new.set_nonblocking(true).unwrap();
    assert_eq!(wanted.find(), Some(new.as_raw_fd()));
    known.set_nonblocking(true).unwrap();
    assert_eq!(wanted.find(), None);
}

#[test]
fn a_descriptor_goes_over_the_line() {
    let keeper = Keeper::new().unwrap();
    // Nobody was started.
    assert!(keeper.ask(Wanted::Number(0)).unwrap().is_none());
    let answering = keeper.answering.take().unwrap();
    let line = answering.as_raw_fd();
    send(line, &[0], MsgFlags::empty()).unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    answer(line, Some(theirs.as_raw_fd()));
    answer(line, None);
    // The request lies there unread; both answers have come already.
    let got = keeper.ask(Wanted::Number(0)).unwrap().unwrap();
    assert_eq!(inode(got.as_raw_fd()), inode(theirs.as_fd().as_raw_fd()));
    ours.write_all(b"x").unwrap();
    assert!(keeper.ask(Wanted::Number(0)).unwrap().is_none());
    assert_eq!(recv(line, &mut [0; REQUEST_BYTES], MsgFlags::MSG_DONTWAIT), Ok(REQUEST_BYTES));
    keeper.dismiss();
    // What was asked before is read first; then there is an end.
    serve(line);
    assert!(!keeper.ask(Wanted::Number(0)).is_ok_and(|found| found.is_some()));
}
