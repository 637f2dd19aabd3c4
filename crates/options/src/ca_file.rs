use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::authorities::{Authorities, AuthoritiesError};

/// A file with certificate authorities, and what it held when it was read.
#[derive(Clone, Debug)]
pub struct CaFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub authorities: Authorities,
}

/// Why a file is of no use as one of authorities.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CaFileError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
    /// It holds no certificates, or broken ones.
    #[error("the file {0}")]
    NotCertificates(#[from] AuthoritiesError),
}

/// Reads a file with certificate authorities, at least one.
///
/// # Errors
/// When it cannot be read or holds something else.
pub fn read_ca_file(path: &str) -> Result<CaFile, CaFileError> {
    let pem = std::fs::read(path).map_err(|error| CaFileError::Unreadable(Arc::new(error)))?;
    Ok(CaFile {
        path: PathBuf::from(path),
        authorities: Authorities::from_pem(pem)?,
    })
}
