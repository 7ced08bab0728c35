//! Servers that answer right or wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// HTTP: `/large` has a body of so many bytes, everything else none.
pub fn http(listener: &TcpListener, large: usize) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        thread::spawn(move || {
            let mut request = Vec::new();
            let mut room = [0; 4096];
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut room) {
                    Ok(0) | Err(_) => return,
                    Ok(length) => request.extend_from_slice(&room[..length]),
                }
            }
            let answer = if request.starts_with(b"GET /large") {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {large}\r\n\r\n");
                [head.into_bytes(), vec![b'x'; large]].concat()
            } else {
                b"HTTP/1.1 204 No Content\r\nServer: test\r\n\r\n".to_vec()
            };
            let _ = stream.write_all(&answer);
        });
    }
}
