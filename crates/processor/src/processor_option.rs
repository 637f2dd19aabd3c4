use std::path::PathBuf;

use feeway_domain::{
    FeeError, MAX_PROCESSORS, Processor, ProcessorName, ProcessorNameError, without_credentials,
};
use feeway_options::Discreet;

use crate::EndpointError;
use crate::access::Access;
use crate::endpoint::Endpoint;

/// A processor as an option's text has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessorOption {
    /// Its name, URL and fee, and whether its declines are final.
    pub processor: Processor,
    /// The credentials, and what is needed to verify its identity.
    pub access: Access,
}

/// Why a text, or a list of processors, is not what the option `--processor` takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessorOptionError {
    /// Not of the form at all.
    #[error("{0:?} is not of the form NAME=URL,fee=0.05")]
    Form(String),
    /// A part after the URL that is not known, or appears twice.
    #[error(
        "unexpected {0:?} after the URL; allowed are fee=, authorization-file=, ca-file= and \
         declines=, each once"
    )]
    Part(String),
    /// Something else than `final` is said of its declines.
    #[error(
        "declines={0:?}: the only value is final, for a processor that stores nothing when it \
         answers 400, 402 or 410"
    )]
    Declines(String),
    /// A bad name.
    #[error("{0:?}: {1}")]
    Name(String, ProcessorNameError),
    /// A bad URL.
    #[error("{0:?}: {1}")]
    Url(String, EndpointError),
    /// A bad fee.
    #[error("{0:?}: {1}")]
    Fee(String, FeeError),
    /// The same name twice.
    #[error("two processors are named {0}")]
    SameName(ProcessorName),
    /// The same URL under two names: fees and breakers would be told apart, and the ledger's
    /// duplicates would not.
    #[error(
        "the processors {0} and {1} have the same URL, {2}: each ledger must have exactly one name"
    )]
    SameUrl(ProcessorName, ProcessorName, String),
    /// None, or more than [`MAX_PROCESSORS`].
    #[error("{0} processors are given; 1 to {MAX_PROCESSORS} are allowed")]
    Count(usize),
}

/// Reads one processor from `NAME=URL,fee=0.05`, to which `authorization-file=PATH`,
/// `ca-file=PATH` and `declines=final` may be added after a comma. Its URL is kept as everybody
/// writes it: in lower case but for the path, without the scheme's own port and without a
/// closing slash. The files are not looked at. What an error says holds no password.
pub fn parse_processor(text: &str) -> Result<ProcessorOption, ProcessorOptionError> {
    let form = || {
        // Somebody may have put the header's value where the name of its file belongs.
        let shown = text.split(',').next().unwrap_or_default();
        ProcessorOptionError::Form(without_credentials(shown))
    };
    let (name, rest) = text.trim().split_once('=').ok_or_else(form)?;
    let (url, parts) = rest.split_once(',').ok_or_else(form)?;
    let url = url.trim_end_matches('/');
    let endpoint = Endpoint::parse(url)
        .map_err(|error| ProcessorOptionError::Url(without_credentials(url), error))?;
    let (mut fee, mut declines, mut access) = (None, None, Access::default());
    for part in parts.split(',') {
        let (key, value) = part.split_once('=').unwrap_or_default();
        let is_new = match key {
            "fee" => fee.replace(value).is_none(),
            "declines" => declines.replace(value).is_none(),
            "authorization-file" => put(&mut access.authorization_file, value),
            "ca-file" => put(&mut access.ca_file, value),
            _ => false,
        };
        if !is_new {
            return Err(ProcessorOptionError::Part(key.to_owned()));
        }
    }
    let fee = fee.ok_or_else(form)?;
    if let Some(other) = declines.filter(|declines| *declines != "final") {
        return Err(ProcessorOptionError::Declines(other.to_owned()));
    }
    let processor = Processor {
        name: name
            .parse()
            .map_err(|error| ProcessorOptionError::Name(name.to_owned(), error))?,
        url: endpoint.url(),
        fee: fee
            .parse()
            .map_err(|error| ProcessorOptionError::Fee(fee.to_owned(), error))?,
        declines_are_final: declines.is_some(),
    };
    Ok(ProcessorOption { processor, access })
}

/// Whether there was a path, and none before it.
fn put(place: &mut Option<PathBuf>, path: &str) -> bool {
    !path.is_empty() && place.replace(PathBuf::from(path)).is_none()
}

/// Reads processors from a list separated by `;` and puts them in the order of
/// [`order_processors`].
pub fn parse_processors(text: &str) -> Result<Vec<ProcessorOption>, ProcessorOptionError> {
    let processors: Result<Vec<_>, _> = text.split(';').map(parse_processor).collect();
    order_processors(processors?)
}

/// Puts processors in the order in which they are tried: the cheapest first, equal fees as
/// given. Refuses a list that is empty, too long, or has a name or a URL twice.
pub fn order_processors(
    mut processors: Vec<ProcessorOption>,
) -> Result<Vec<ProcessorOption>, ProcessorOptionError> {
    if !(1..=MAX_PROCESSORS).contains(&processors.len()) {
        return Err(ProcessorOptionError::Count(processors.len()));
    }
    for (index, ProcessorOption { processor, .. }) in processors.iter().enumerate() {
        for ProcessorOption {
            processor: earlier, ..
        } in &processors[..index]
        {
            let name = processor.name.clone();
            if earlier.name == name {
                return Err(ProcessorOptionError::SameName(name));
            }
            if earlier.url == processor.url {
                let (first, url) = (earlier.name.clone(), without_credentials(&processor.url));
                return Err(ProcessorOptionError::SameUrl(first, name, url));
            }
        }
    }
    // A stable sort keeps the given order of equal fees.
    processors.sort_by_key(|option| option.processor.fee);
    Ok(processors)
}

/// Reads one processor of the option `--processor`; a refusal quotes no password.
pub const fn processor_parser() -> Discreet<ProcessorOption, ProcessorOptionError> {
    Discreet::new(parse_processor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_url_and_fee_are_read() {
        let option = parse_processor("default=http://localhost:8001/,fee=0.05").unwrap();
        assert_eq!(option.access, Access::default());
        let processor = option.processor;
        assert_eq!(processor.name.as_str(), "default");
        assert_eq!(processor.url, "http://localhost:8001");
        assert_eq!(processor.fee.to_string(), "0.05");
    }

    #[test]
    fn files_may_follow_in_any_order() {
        let option = parse_processor(
            "a=https://a/v2,ca-file=/run/ca.pem,fee=0.05,authorization-file=/run/t",
        )
        .unwrap();
        assert_eq!(option.processor.url, "https://a/v2");
        assert_eq!(option.processor.fee.to_string(), "0.05");
        let expected = Access {
            authorization_file: Some("/run/t".into()),
            ca_file: Some("/run/ca.pem".into()),
        };
        assert_eq!(option.access, expected);
        assert!(!option.processor.declines_are_final);
    }

    #[test]
    fn an_operator_may_vouch_for_declines() {
        let option = parse_processor("a=https://a,declines=final,fee=0.05").unwrap();
        assert!(option.processor.declines_are_final);
        for value in ["", "Final", "true"] {
            check(
                &format!("a=https://a:1,fee=0.05,declines={value}"),
                &format!(
                    "declines={value:?}: the only value is final, for a processor that stores \
                     nothing when it answers 400, 402 or 410"
                ),
            );
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(
            parse_processors(text).unwrap_err().to_string(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("", "\"\" is not of the form NAME=URL,fee=0.05");
        check(
            "default",
            "\"default\" is not of the form NAME=URL,fee=0.05",
        );
        check(
            "default=http://a:1",
            "\"default=http://a:1\" is not of the form NAME=URL,fee=0.05",
        );
        check(
            "De=http://a:1,fee=0.05",
            "\"De\": a processor's name must be 1 to 24 characters of a-z, 0-9 and -",
        );
        check(
            "a=ftp://a:1,fee=0.05",
            "\"ftp://a:1\": a processor's URL must begin with http:// or https://",
        );
        check(
            "a=https://me:secret@a:1,fee=0.05",
            "\"https://…@a:1\": a processor's URL must be scheme, host, port and path, without a \
             user or a query",
        );
        for (part, key) in [
            ("fee=0.1", "fee"),
            ("authorization=secret", "authorization"),
            ("secret", ""),
            ("ca-file=", "ca-file"),
            ("declines=final,declines=final", "declines"),
            ("", ""),
        ] {
            check(
                &format!("a=https://a:1,fee=0.05,{part}"),
                &format!(
                    "unexpected {key:?} after the URL; allowed are fee=, authorization-file=, \
                     ca-file= and declines=, each once"
                ),
            );
        }
        check(
            "a=https://a:1,ca-file=/ca.pem",
            "\"a=https://a:1\" is not of the form NAME=URL,fee=0.05",
        );
        check(
            "a=http://a:1,fee=5%",
            "\"5%\": a fee must be a share from 0 to 1 with at most six decimals, such as 0.05",
        );
        check(
            "a=http://a:1,fee=0.1;a=http://a:2,fee=0.2",
            "two processors are named a",
        );
        check(
            "a=http://x:80,fee=0.1;b=http://b,fee=0.1;c=HTTP://X/,fee=0.2",
            "the processors a and c have the same URL, http://x: each ledger must have exactly one name",
        );
        let nine: Vec<_> = (0..9).map(|n| format!("p{n}=http://a:1,fee=0.1")).collect();
        check(
            &nine.join(";"),
            "9 processors are given; 1 to 8 are allowed",
        );
        assert_eq!(
            order_processors(Vec::new()),
            Err(ProcessorOptionError::Count(0))
        );
    }

    #[test]
    fn the_cheapest_comes_first_and_equal_fees_keep_their_order() {
        let processors = parse_processors(
            "b=http://b:1,fee=0.15;z=http://z:1,fee=0.05;a=http://a:1,fee=0.15;c=http://c:1,fee=0.050",
        )
        .unwrap();
        let names: Vec<_> = processors
            .iter()
            .map(|p| p.processor.name.as_str())
            .collect();
        assert_eq!(names, ["z", "c", "b", "a"]);
    }
}
