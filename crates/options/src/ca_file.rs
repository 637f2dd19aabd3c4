use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use feeway_store::{Authorities, AuthoritiesError};

/// A file with certificate authorities, and what it held when it was read.
#[derive(Clone, Debug)]
pub(crate) struct CaFile {
    pub(crate) path: PathBuf,
    pub(crate) authorities: Authorities,
}

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CaFileError {
    #[error("the file cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
    #[error("the file {0}")]
    NotCertificates(#[from] AuthoritiesError),
}

pub(crate) fn read_ca_file(path: &str) -> Result<CaFile, CaFileError> {
    let pem = std::fs::read(path).map_err(|error| CaFileError::Unreadable(Arc::new(error)))?;
    Ok(CaFile {
        path: PathBuf::from(path),
        authorities: Authorities::from_pem(pem)?,
    })
}
