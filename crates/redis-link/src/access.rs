use feeway_domain::Secret;
use feeway_options::Authorities;
use redis::{Client, ConnectionAddr, ConnectionInfo, RedisResult, TlsCertificates};

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
            root_cert: self.authorities.as_ref().map(|given| given.pem().to_vec()),
        };
        Client::build_with_tls(info, certificates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
