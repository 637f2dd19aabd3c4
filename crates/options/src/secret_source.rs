use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use feeway_domain::Secret;

/// The longest secret; a NATS `.creds` file has about 1 KiB.
const LEN_MAX: u64 = 16 * 1024;

/// Why a file or a variable holds no secret. It never quotes what it holds.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
    /// It holds white space at most.
    #[error("the file is empty")]
    Empty,
    /// It is longer than 16 KiB.
    #[error("the file is longer than 16 KiB")]
    TooLong,
    /// It is not UTF-8.
    #[error("the file is not UTF-8")]
    NotText,
}

/// The content of a file without the white space around it.
///
/// # Errors
/// When it holds no secret; the error never quotes what it holds.
pub fn read_secret(path: &str) -> Result<Secret, SecretError> {
    let unreadable = |error| SecretError::Unreadable(Arc::new(error));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LEN_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > LEN_MAX) {
        return Err(SecretError::TooLong);
    }
    let text = std::str::from_utf8(&bytes).or(Err(SecretError::NotText))?;
    match text.trim() {
        "" => Err(SecretError::Empty),
        text => Ok(Secret::new(text)),
    }
}

/// A secret that the environment holds itself, for platforms that can do no better. There is
/// no option for it: everybody may read a command line.
pub fn secret_of_variable(name: &str) -> Option<Secret> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| Secret::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_trimmed_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            read_secret(path.to_str().unwrap())
        };
        assert_eq!(read(b" hush\r\n").unwrap(), Secret::new("hush"));
        for (content, expected) in [
            (&b"\n"[..], "the file is empty"),
            (&[b'a'; 16 * 1024 + 1], "the file is longer than 16 KiB"),
            (b"\xff\xfe", "the file is not UTF-8"),
        ] {
            assert_eq!(read(content).unwrap_err().to_string(), expected);
        }
        let missing = read_secret("/nowhere/secret").unwrap_err().to_string();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
