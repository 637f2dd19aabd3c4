use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::{error, info};

use crate::access::{CaFileError, SetUpError};
use crate::endpoint::{Endpoint, EndpointError};

/// TLS with one processor. All its connections share the tickets of earlier sessions, so
/// only the first one pays for a whole handshake.
pub(crate) struct Tls {
    connector: TlsConnector,
    server: ServerName<'static>,
    /// Whether the last handshake failed for a reason that somebody must see to, and was
    /// told of.
    is_refused: AtomicBool,
}

impl Tls {
    pub(crate) fn new(endpoint: &Endpoint, ca_file: Option<&PathBuf>) -> Result<Self, SetUpError> {
        let roots = match ca_file {
            Some(file) => {
                read_roots(file).map_err(|error| SetUpError::CaFile(file.clone(), error))?
            }
            None => native_roots()?,
        };
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .expect("ring has the ciphers of every version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Early data could be replayed to a processor by whoever sits in between.
        config.enable_early_data = false;
        let host = endpoint.host.clone();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            server: ServerName::try_from(host).or(Err(EndpointError::NotAUrl))?,
            is_refused: AtomicBool::new(false),
        })
    }

    /// Speaks TLS on a new connection. Nothing of a request has been sent when it fails.
    pub(crate) async fn handshake<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shaken = self.connector.connect(self.server.clone(), stream).await;
        let host = self.server.to_str();
        match &shaken {
            Ok(_) => {
                if self.is_refused.swap(false, Ordering::Relaxed) {
                    info!(%host, "TLS to the processor works again");
                }
            }
            // Certificates, names and protocols do not mend themselves; a connection that
            // merely ended does.
            Err(fault)
                if fault
                    .get_ref()
                    .is_some_and(|fault| fault.is::<rustls::Error>()) =>
            {
                if !self.is_refused.swap(true, Ordering::Relaxed) {
                    error!(%host, error = %fault, "cannot set up TLS to the processor");
                }
            }
            Err(_) => {}
        }
        shaken
    }
}

fn read_roots(file: &Path) -> Result<RootCertStore, CaFileError> {
    let pem = std::fs::read(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.or(Err(CaFileError::NotCertificates))?;
        roots
            .add(certificate)
            .or(Err(CaFileError::NotCertificates))?;
    }
    if roots.is_empty() {
        return Err(CaFileError::NotCertificates);
    }
    Ok(roots)
}

/// Whom the machine trusts; what it holds beside that and cannot be read does not matter.
fn native_roots() -> Result<RootCertStore, SetUpError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(SetUpError::NobodyTrusted);
    }
    Ok(roots)
}
