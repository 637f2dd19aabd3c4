use std::fmt;
use std::sync::Arc;

/// A password, a token or a key. It cannot be printed: whoever needs the text asks for it by
/// [`Secret::expose`], which is easy to search for. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the text as it is.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire only, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A URL, or a text with one in it, without what may be secret: `…` stands for a user with a
/// password and for a query. It takes away too much rather than too little, since a text that
/// is no good URL has no places to go by.
pub fn without_credentials(text: &str) -> String {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (scheme, rest));
    let separator = if scheme.is_empty() { "" } else { "://" };
    let rest = match (rest.rsplit_once('@'), rest.split_once('?')) {
        (None, None) => rest.to_owned(),
        (Some((_, host)), None) => format!("…@{host}"),
        (None, Some((place, _))) => format!("{place}?…"),
        (Some(_), Some(_)) => "…".to_owned(),
    };
    format!("{scheme}{separator}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "(secret)");
        assert_eq!(format!("{:#?}", Some(secret)), "Some(\n    (secret),\n)");
    }

    #[test]
    fn what_may_be_secret_is_left_out() {
        for (text, shown) in [
            ("nowhere", "nowhere"),
            ("redis://host:1", "redis://host:1"),
            ("redis://:secret@host:1", "redis://…@host:1"),
            ("redis://me:sec@ret@host:1", "redis://…@host:1"),
            ("redis://me:sec?ret@host:1", "redis://…"),
            ("unix:///run/a.sock?pass=secret", "unix:///run/a.sock?…"),
            ("unix:///run/a.sock?pass=sec@ret", "unix://…"),
            ("me:secret@host", "…@host"),
            ("a=https://me:secret@h,fee=0.05", "a=https://…@h,fee=0.05"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
