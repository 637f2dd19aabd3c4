use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// A certificate authority of one test's own, with a folder for its files.
pub struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A server's certificate and key, in PEM.
pub struct ServerCertificate {
    /// Where the certificate is.
    pub certificate: PathBuf,
    /// Where its key is.
    pub key: PathBuf,
}

impl TestAuthority {
    /// An authority that nobody trusts yet.
    ///
    /// # Panics
    /// When the files cannot be written.
    #[expect(clippy::new_without_default, reason = "each is another authority")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "An authority for tests");
        let key = KeyPair::generate().expect("a key of random bytes");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority signs itself");
        let folder = tempfile::tempdir().expect("a folder for certificates");
        let authority = Self { issuer, folder };
        std::fs::write(authority.ca_file(), authority.issuer.pem()).expect("room for a file");
        authority
    }

    /// The file by which to trust it.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a server of this name or address.
    ///
    /// # Panics
    /// When the name is none, or the files cannot be written.
    pub fn certify(&self, name: &str) -> ServerCertificate {
        let params = CertificateParams::new([name.to_owned()]).expect("a name or an address");
        let key = KeyPair::generate().expect("a key of random bytes");
        let signed = params.signed_by(&key, &self.issuer).expect("it can sign");
        let path = |end: &str| self.folder.path().join(format!("{name}{end}"));
        let files = ServerCertificate {
            certificate: path(".pem"),
            key: path(".key"),
        };
        std::fs::write(&files.certificate, signed.pem()).expect("room for a file");
        std::fs::write(&files.key, key.serialize_pem()).expect("room for a file");
        files
    }
}
