//! From what the kernel says to what the protocol says.

use std::io;

use nix::errno::Errno;

use netpath_protocol::Failure;

/// The failure behind an error of a socket call.
///
/// Which network event leads to which error number differs between IPv4 and IPv6 and between TCP and
/// UDP; nothing is made of it here but the name.
pub(super) fn failure(error: &io::Error) -> Failure {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) => of_errno(errno),
        None => match error.kind() {
            io::ErrorKind::TimedOut => Failure::Timeout,
            // A pipe in memory says so without a number.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Other {
                text: error.to_string(),
            },
        },
    }
}

/// The failure behind an error number.
pub(super) fn of_errno(errno: Errno) -> Failure {
    match errno {
        // ETIMEDOUT is the kernel's own patience, or an answer that came too late to count.
        Errno::ETIMEDOUT => Failure::Timeout,
        Errno::ECONNREFUSED => Failure::Refused,
        Errno::ECONNRESET | Errno::EPIPE => Failure::Reset,
        Errno::EHOSTUNREACH => Failure::HostUnreachable,
        Errno::ENETUNREACH => Failure::NetUnreachable,
        Errno::EACCES | Errno::EPERM => Failure::Denied,
        Errno::EADDRNOTAVAIL => Failure::NoLocalPort,
        Errno::EMFILE | Errno::ENFILE => Failure::NoDescriptor,
        errno => Failure::Other {
            text: format!("{errno:?}"),
        },
    }
}

/// A failure that only words describe.
pub(super) fn other(text: &str) -> Failure {
    Failure::Other {
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_kernel_survive() {
        let of = |errno: Errno| failure(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(of(Errno::EHOSTUNREACH), Failure::HostUnreachable);
        assert_eq!(of(Errno::EINVAL).words(), "EINVAL");
        let eof = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(failure(&eof), Failure::Closed);
    }
}
