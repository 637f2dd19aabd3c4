use std::io;
use std::path::PathBuf;

use crate::EndpointError;

/// The credentials for a processor, and what is needed to verify its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Holds the value of the `authorization` header that every request carries. It is read
    /// again, at most once a second, so that a new value needs no restart.
    pub authorization_file: Option<PathBuf>,
    /// Holds, as PEM, the certificate authorities that may vouch for the processor: these
    /// alone, instead of those that the machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// Why there can be no client of a processor.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The URL cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The file with the header's value cannot be used.
    #[error("authorization file {}", .0.display())]
    Authorization(PathBuf, #[source] AuthorizationFileError),
    /// The file with the certificate authorities cannot be used.
    #[error("CA file {}", .0.display())]
    CaFile(PathBuf, #[source] CaFileError),
    /// Certificates are asked for where none are looked at.
    #[error("a CA file works only with https://")]
    CaFileWithoutTls,
    /// No `ca-file`, and the machine trusts nobody.
    #[error(
        "this machine trusts no certificate authority: install its CA certificates, or name a CA file"
    )]
    NobodyTrusted,
}

/// Why a file does not hold the value of a header.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationFileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
    /// It holds nothing but white space.
    #[error("is empty")]
    Empty,
    /// It holds what no header may, such as a second line.
    #[error("does not hold one line of visible characters")]
    NotAHeader,
    /// It is longer than any header that a server takes.
    #[error("is longer than 8 KiB")]
    TooLong,
}

/// Why a file does not hold certificate authorities.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
    /// It holds no certificate in PEM, or a broken one.
    #[error("does not hold certificates in PEM")]
    NotCertificates,
}
