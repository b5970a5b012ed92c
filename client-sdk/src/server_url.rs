//! The server's address.

use std::{fmt, net::IpAddr, str::FromStr};

use crate::error::Error;

/// An `https` address, or `http` on this machine; without path, query or user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    loopback: bool,
}

impl ServerUrl {
    /// `scheme://host[:port]`, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether TLS is spoken.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ServerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            Error::invalid(format!("the server address {text:?} {why}"))
                .with_hint("Give it like https://files.example.com or http://127.0.0.1:8787.")
        };
        let url = reqwest::Url::parse(text.trim()).map_err(|_| invalid("is not a URL"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("must have no path, query or fragment"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must not contain a user or password"));
        }
        let host = url.host_str().ok_or_else(|| invalid("has no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return Err(invalid("is not encrypted: http is accepted on this machine only; use https"));
            }
            _ => return Err(invalid("must begin with https://")),
        }
        Ok(Self { text: url.origin().ascii_serialization(), loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_only_on_this_machine() {
        for good in [
            "https://a.example",
            "https://a.example:8443/",
            "http://127.0.0.1:8787",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(good.parse::<ServerUrl>().is_ok(), "{good}");
        }
        for bad in [
            "http://a.example",
            "ftp://a",
            "a.example",
            "https://u:p@a.example",
            "https://a.example/x",
            "https://a.example?x",
            "http://127.0.0.1.a.example",
            "",
        ] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
        assert_eq!("https://A.example:443/".parse::<ServerUrl>().unwrap().as_str(), "https://a.example");
    }
}
