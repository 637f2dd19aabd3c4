use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of one installation of Feeway, with all its fronts: 1 to 24 of `a`–`z`, `0`–`9`
/// and `-`. Cheap to clone.
///
/// Each request to a processor carries it in its `Via` header, so that a front recognises a
/// payment that comes back to it and does not send it round again.
#[derive(Clone, PartialEq, Eq)]
pub struct Deployment(Arc<str>);

/// The text is not 1 to 24 of `a`–`z`, `0`–`9` and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 24 characters of a-z, 0-9 and -")]
pub struct DeploymentError;

impl Deployment {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the `Via` header says.
    pub(crate) fn via(&self) -> String {
        format!("feeway/{self}")
    }

    /// Whether a `Via` header says that its request came through this deployment. What others
    /// on the way added, before or after a comma, does not matter.
    pub fn is_in_via(&self, value: &str) -> bool {
        let ours = |word: &str| {
            let name = word
                .split_at_checked("feeway/".len())
                .filter(|(product, _)| product.eq_ignore_ascii_case("feeway/"));
            name.is_some_and(|(_, name)| name.eq_ignore_ascii_case(self.as_str()))
        };
        let mut words = value.split(|letter: char| letter == ',' || letter.is_ascii_whitespace());
        words.any(ours)
    }
}

impl FromStr for Deployment {
    type Err = DeploymentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=24).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(DeploymentError)
        }
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["a", "feeway", "eu-1", &"a".repeat(24)] {
            assert_eq!(name.parse::<Deployment>().unwrap().as_str(), name);
        }
        for text in ["", "Feeway", "a b", "a/b", "é", &"a".repeat(25)] {
            assert_eq!(text.parse::<Deployment>(), Err(DeploymentError), "{text}");
        }
    }

    #[test]
    fn a_deployment_finds_itself_among_others() {
        let ours: Deployment = "eu-1".parse().unwrap();
        for value in [
            "feeway/eu-1",
            "FeeWay/EU-1",
            "1.1 proxy, feeway/eu-1",
            "feeway/eu-2,feeway/eu-1,1.1 proxy",
            "1.1 feeway/eu-1 (comment)",
            "\tfeeway/eu-1 ",
        ] {
            assert!(ours.is_in_via(value), "{value}");
        }
        assert!(ours.is_in_via(&ours.via()));
        for value in [
            "",
            "feeway",
            "feeway/",
            "feeway/eu",
            "feeway/eu-11",
            "xfeeway/eu-1",
            "1.1 eu-1",
            "feewaé/eu-1",
        ] {
            assert!(!ours.is_in_via(value), "{value}");
        }
    }
}
