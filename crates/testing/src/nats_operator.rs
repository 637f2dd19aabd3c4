use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An operator of NATS servers with one account, both of one test's own: who is let in there
/// needs a name that the account has signed.
pub struct NatsOperator {
    key: KeyPair,
    account: KeyPair,
    folder: TempDir,
}

/// A user of such an account: what a `.creds` file holds.
#[derive(Clone, Debug)]
pub struct NatsUser {
    /// The user's name, signed by the account.
    pub jwt: String,
    /// The key that goes with the name.
    pub seed: String,
}

impl NatsOperator {
    /// An operator that no server knows yet.
    ///
    /// # Panics
    /// When the files cannot be written.
    #[expect(clippy::new_without_default, reason = "each is another operator")]
    pub fn new() -> Self {
        let operator = Self {
            key: KeyPair::new_operator(),
            account: KeyPair::new_account(),
            folder: tempfile::tempdir().expect("a folder for configurations"),
        };
        let account = operator.account.public_key();
        operator.write("closed.conf", "");
        let open = format!("{account}: {:?}\n", operator.account_jwt());
        operator.write("open.conf", &open);
        operator
    }

    /// The configuration of a server that lets this account's users in.
    pub fn open_server(&self) -> PathBuf {
        self.folder.path().join("open.conf")
    }

    /// The configuration of a server that has not heard of the account.
    pub fn closed_server(&self) -> PathBuf {
        self.folder.path().join("closed.conf")
    }

    /// Another user at each call.
    pub fn user(&self) -> NatsUser {
        self.user_until(None)
    }

    /// One whose time was over long ago.
    pub fn expired_user(&self) -> NatsUser {
        self.user_until(Some(1_000_000_000))
    }

    fn user_until(&self, expires_at: Option<u64>) -> NatsUser {
        let key = KeyPair::new_user();
        let mut claims = claims("user", &key, &self.account);
        // No limits.
        for (name, limit) in [
            ("subs", json!(-1)),
            ("data", json!(-1)),
            ("payload", json!(-1)),
            ("pub", json!({})),
            ("sub", json!({})),
        ] {
            claims["nats"][name] = limit;
        }
        if let Some(at) = expires_at {
            claims["exp"] = json!(at);
        }
        NatsUser {
            jwt: sign(&claims, &self.account),
            seed: key.seed().expect("it was made with its secret part"),
        }
    }

    fn account_jwt(&self) -> String {
        let mut claims = claims("account", &self.account, &self.key);
        claims["nats"]["limits"] = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1,
        });
        sign(&claims, &self.key)
    }

    fn write(&self, name: &str, accounts: &str) {
        let operator = sign(&claims("operator", &self.key, &self.key), &self.key);
        let text = format!(
            "operator: {operator:?}\nresolver: MEMORY\nresolver_preload: {{\n{accounts}}}\n"
        );
        fs::write(self.folder.path().join(name), text).expect("room for a file");
    }
}

impl NatsUser {
    /// Writes the `.creds` file, with the words of warning that `nsc` puts there.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_creds(&self, path: &Path) {
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            self.jwt, self.seed
        );
        fs::write(path, text).expect("room for a file");
    }
}

fn claims(kind: &str, subject: &KeyPair, issuer: &KeyPair) -> Value {
    let subject = subject.public_key();
    json!({
        "jti": subject,
        "iat": 1_000_000_000,
        "iss": issuer.public_key(),
        "name": format!("{kind} of a test"),
        "sub": subject,
        "nats": { "type": kind, "version": 2 },
    })
}

fn sign(claims: &Value, issuer: &KeyPair) -> String {
    let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let header = encoded(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let signed = format!("{header}.{}", encoded(&claims.to_string()));
    let signature = issuer.sign(signed.as_bytes()).expect("it can sign");
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
