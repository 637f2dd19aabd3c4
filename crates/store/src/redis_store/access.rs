use std::fmt;

use feeway_domain::Secret;
use redis::{Client, ConnectionAddr, ConnectionInfo, RedisResult, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The credentials for a Redis, and what is needed to verify its identity.
#[derive(Clone, Debug, Default)]
pub struct RedisAccess {
    /// Its user; `default` unless given. Of no use without a password.
    pub user: Option<String>,
    /// The user's password, instead of one in the URL.
    pub password: Option<Secret>,
    /// With `rediss://`, who may vouch for it; the machine's authorities unless given.
    pub authorities: Option<Authorities>,
}

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
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

impl RedisAccess {
    pub(crate) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        let mut settings = info.redis_settings().clone();
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password.expose());
        }
        let info = info.set_redis_settings(settings);
        if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Client::open(info);
        }
        // The client of Redis takes the process's provider. Somebody may have set it before.
        drop(rustls::crypto::ring::default_provider().install_default());
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: self.authorities.as_ref().map(|given| given.0.clone()),
        };
        Client::build_with_tls(info, certificates)
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

    #[test]
    fn a_password_is_not_printed() {
        let access = RedisAccess {
            user: Some("me".to_owned()),
            password: Some(Secret::new("hush")),
            authorities: None,
        };
        assert!(!format!("{access:?}").contains("hush"));
    }
}
