use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::access::AuthorizationFileError;

/// The file is read again with the first request after so long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long that one request waits for the file; a disk that hangs must not stop payments.
const LOOK_TIMEOUT: Duration = Duration::from_millis(250);

/// The longest value: servers take heads of 8 to 16 KiB.
const LEN_MAX: u64 = 8 * 1024;

/// The value of a processor's `authorization` header, kept up to date with its file.
pub(crate) struct Authorization {
    file: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    /// Marked sensitive: it prints itself as nothing but that.
    header: HeaderValue,
    looked_at: Instant,
    is_file_bad: bool,
}

impl Authorization {
    pub(crate) fn read(file: PathBuf) -> Result<Self, AuthorizationFileError> {
        let known = Known {
            header: read(&file)?,
            looked_at: Instant::now(),
            is_file_bad: false,
        };
        Ok(Self {
            file,
            known: Mutex::new(known),
        })
    }

    /// The value for the next request. A file that cannot be used any longer is told of once,
    /// and the last good value stays in use. Cancel safe.
    pub(crate) async fn header(&self) -> HeaderValue {
        {
            let mut known = self.known();
            if known.looked_at.elapsed() < LOOK_EVERY {
                return known.header.clone();
            }
            // The others do not look too.
            known.looked_at = Instant::now();
        }
        let file = self.file.clone();
        let looked = timeout(LOOK_TIMEOUT, spawn_blocking(move || read(&file))).await;
        let mut known = self.known();
        match looked {
            Ok(Ok(Ok(header))) => {
                known.is_file_bad = false;
                if header != known.header {
                    info!(file = %self.file.display(), "using the new value of the authorization file");
                    known.header = header;
                }
            }
            Ok(Ok(Err(error))) if !known.is_file_bad => {
                known.is_file_bad = true;
                let file = self.file.display();
                warn!(%file, %error, "cannot use the authorization file; keeping its last value");
            }
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => {}
        }
        known.header.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while holding it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Result<HeaderValue, AuthorizationFileError> {
    let mut text = Vec::new();
    File::open(file)?.take(LEN_MAX + 1).read_to_end(&mut text)?;
    let value = text.trim_ascii();
    if value.is_empty() {
        return Err(AuthorizationFileError::Empty);
    }
    if u64::try_from(text.len()).is_ok_and(|len| len > LEN_MAX) {
        return Err(AuthorizationFileError::TooLong);
    }
    let mut header = HeaderValue::from_bytes(value).or(Err(AuthorizationFileError::NotAHeader))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expected: Result<&str, &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let header = read(file.path()).map_err(|error| error.to_string());
        assert_eq!(
            header.as_ref().map(|header| header.to_str().unwrap()),
            expected.map_err(str::to_owned).as_ref().copied()
        );
        if let Ok(header) = header {
            assert_eq!(format!("{header:?}"), "Sensitive");
        }
    }

    #[test]
    fn a_file_holds_one_trimmed_line() {
        check(b"Bearer abc\n", Ok("Bearer abc"));
        check(b" \r\nBasic eHg6eQ==\r\n", Ok("Basic eHg6eQ=="));
        check(b"", Err("is empty"));
        check(b" \n", Err("is empty"));
        check(b"a\nb", Err("does not hold one line of visible characters"));
        check(&[b'a'; 8 * 1024], Ok(&"a".repeat(8 * 1024)));
        check(&[b'a'; 8 * 1024 + 1], Err("is longer than 8 KiB"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_value_is_taken_up_and_a_lost_file_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "one").unwrap();
        let authorization = Authorization::read(file.clone()).unwrap();
        std::fs::write(&file, "two").unwrap();
        assert_eq!(authorization.header().await, "one", "looked a moment ago");
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(authorization.header().await, "two");
        std::fs::remove_file(&file).unwrap();
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(authorization.header().await, "two");
        std::fs::write(&file, "three").unwrap();
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(authorization.header().await, "three");
    }
}
