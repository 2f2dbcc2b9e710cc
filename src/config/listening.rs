//! Checks the options that name where to listen, and the two files of TLS: some contradict each other,
//! or need each other.

use super::options::ServerOptions;

/// Checks that the options do not contradict each other; the error is one and its problem.
pub(super) fn check(options: &ServerOptions) -> Result<(), (&'static str, String)> {
    let given = [
        ("uds", options.uds.is_some()),
        ("fd", options.fd.is_some()),
        ("port", options.port.is_some()),
        ("host", options.host.is_some()),
    ];
    let mut names = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
    if let (Some(first @ ("uds" | "fd")), Some(second)) = (names.next(), names.next()) {
        let problem =
            format!("set, and so is `{second}`; a server listens on one socket, remove one");
        return Err((first, problem));
    }
    match (&options.tls_cert, &options.tls_key) {
        (Some(_), None) => {
            Err(("tls-cert", "set without `tls-key`; add the file of its key".into()))
        }
        (None, Some(_)) => {
            Err(("tls-key", "set without `tls-cert`; add the file of its certificate".into()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(set: &[(&str, &str)]) -> ServerOptions {
        let mut options = ServerOptions::default();
        set.iter().for_each(|(name, value)| options.set(name, value).expect("it is valid"));
        options
    }

    #[test]
    fn the_first_source_chooses_the_socket() {
        let project = || options(&[("port", "80"), ("host", "127.0.0.1"), ("max-queue", "7")]);
        let both = options(&[("uds", "/run/a.sock")]).or(project());
        assert_eq!((both.port, both.host, both.max_queue), (None, None, Some(7)));
        assert_eq!(check(&both), Ok(()));
        let both = options(&[("port", "81")]).or(options(&[("fd", "3")])).or(project());
        assert_eq!((both.port, both.fd, both.host), (Some(81), None, project().host));
    }

    #[test]
    fn options_that_contradict_each_other_are_an_error() {
        let problem = |set: &[(&str, &str)]| {
            let (name, problem) = check(&options(set)).expect_err("they contradict each other");
            format!("{name} is {problem}")
        };
        let both = problem(&[("uds", "/run/a.sock"), ("port", "80")]);
        assert!(both.starts_with("uds is set, and so is `port`;"), "{both}");
        assert!(problem(&[("uds", "a"), ("fd", "3")]).contains("so is `fd`"));
        assert!(problem(&[("fd", "3"), ("host", "127.0.0.1")]).contains("so is `host`"));
        assert!(problem(&[("tls-cert", "a.pem")]).contains("without `tls-key`"));
        assert!(problem(&[("tls-key", "a.pem")]).contains("without `tls-cert`"));
        assert_eq!(check(&options(&[("host", "::1"), ("port", "0")])), Ok(()));
    }
}
