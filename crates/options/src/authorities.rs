use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Certificate authorities, in PEM. Whom they vouch for is trusted, and nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Vec<u8>);

/// The text holds no certificates, or broken ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not hold certificates in PEM")]
pub struct AuthoritiesError;

impl Authorities {
    /// Takes the certificates of a PEM file, at least one.
    pub fn from_pem(pem: Vec<u8>) -> Result<Self, AuthoritiesError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.or(Err(AuthoritiesError))?;
            roots.add(certificate).or(Err(AuthoritiesError))?;
        }
        if roots.is_empty() {
            return Err(AuthoritiesError);
        }
        Ok(Self(pem))
    }

    /// The text.
    pub fn pem(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_authorities() {
        for pem in [
            "",
            "text",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(
                Authorities::from_pem(pem.into()),
                Err(AuthoritiesError),
                "{pem}"
            );
        }
    }
}
