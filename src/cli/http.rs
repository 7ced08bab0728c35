//! What is asked over HTTP: it decides which rule of an Ingress or a route takes the request.

use clap::Args;

/// What is asked over HTTP, beside what the URL says.
#[derive(Debug, Clone, Default, Args)]
pub struct HttpArgs {
    /// Method of the request: which rule of a route takes it may depend on it.
    #[arg(long, value_name = "METHOD", help_heading = "HTTP", value_parser = clap::builder::ValueParser::new(method))]
    pub method: Option<String>,
    /// Path of the request, with its query, in place of the URL's.
    #[arg(long, value_name = "PATH", help_heading = "HTTP", value_parser = clap::builder::ValueParser::new(path))]
    pub path: Option<String>,
    /// Header of the request; Host stands for the name that is asked.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", help_heading = "HTTP", value_parser = clap::builder::ValueParser::new(header))]
    pub headers: Vec<(String, String)>,
}

/// A token of RFC 9110, in capitals as everybody writes methods.
fn method(text: &str) -> Result<String, String> {
    if is_token(text) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a method is one word, as GET or POST".to_owned())
    }
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("a path begins with /".to_owned())
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if is_token(name.trim()) => {
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err("write 'NAME: VALUE'".to_owned()),
    }
}

/// A token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_mark = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(
            header("X-Beta: 1:2"),
            Ok(("x-beta".to_owned(), "1:2".to_owned()))
        );
        assert_eq!(method("post").as_deref(), Ok("POST"));
        for wrong in [
            header("x").is_err(),
            header(": x").is_err(),
            method("GET /").is_err(),
            path("x").is_err(),
        ] {
            assert!(wrong);
        }
    }
}
