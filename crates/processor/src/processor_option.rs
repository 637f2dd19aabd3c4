use feeway_domain::{FeeError, MAX_PROCESSORS, Processor, ProcessorName, ProcessorNameError};

use crate::EndpointError;
use crate::endpoint::Endpoint;

/// Why a text, or a list of processors, is not what the option `--processor` takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessorOptionError {
    /// Not of the form at all.
    #[error("{0:?} is not of the form NAME=URL,fee=0.05")]
    Form(String),
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
    /// None, or more than [`MAX_PROCESSORS`].
    #[error("{0} processors given; 1 to {MAX_PROCESSORS} work")]
    Count(usize),
}

/// Reads one processor from `NAME=URL,fee=0.05`. Its URL is kept without a closing slash.
pub fn parse_processor(text: &str) -> Result<Processor, ProcessorOptionError> {
    let form = || ProcessorOptionError::Form(text.to_owned());
    let (name, rest) = text.trim().split_once('=').ok_or_else(form)?;
    let (url, fee) = rest.rsplit_once(",fee=").ok_or_else(form)?;
    let url = url.trim_end_matches('/');
    Endpoint::parse(url).map_err(|error| ProcessorOptionError::Url(url.to_owned(), error))?;
    Ok(Processor {
        name: name
            .parse()
            .map_err(|error| ProcessorOptionError::Name(name.to_owned(), error))?,
        url: url.to_owned(),
        fee: fee
            .parse()
            .map_err(|error| ProcessorOptionError::Fee(fee.to_owned(), error))?,
    })
}

/// Reads processors from a list separated by `;` and puts them in the order of
/// [`order_processors`].
pub fn parse_processors(text: &str) -> Result<Vec<Processor>, ProcessorOptionError> {
    let processors: Result<Vec<_>, _> = text.split(';').map(parse_processor).collect();
    order_processors(processors?)
}

/// Puts processors in the order in which they are tried: the cheapest first, equal fees as
/// given. Refuses a list that is empty, too long, or names one of them twice.
pub fn order_processors(
    mut processors: Vec<Processor>,
) -> Result<Vec<Processor>, ProcessorOptionError> {
    if !(1..=MAX_PROCESSORS).contains(&processors.len()) {
        return Err(ProcessorOptionError::Count(processors.len()));
    }
    for (index, processor) in processors.iter().enumerate() {
        if processors[..index]
            .iter()
            .any(|earlier| earlier.name == processor.name)
        {
            return Err(ProcessorOptionError::SameName(processor.name.clone()));
        }
    }
    // A stable sort keeps the given order of equal fees.
    processors.sort_by_key(|processor| processor.fee);
    Ok(processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_url_and_fee_are_read() {
        let processor = parse_processor("default=http://localhost:8001/,fee=0.05").unwrap();
        assert_eq!(processor.name.as_str(), "default");
        assert_eq!(processor.url, "http://localhost:8001");
        assert_eq!(processor.fee.to_string(), "0.05");
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
            "\"De\": a processor's name is 1 to 24 of a-z, 0-9 and -",
        );
        check(
            "a=https://a:1,fee=0.05",
            "\"https://a:1\": only http:// is spoken to processors",
        );
        check(
            "a=http://a:1,fee=5%",
            "\"5%\": a fee is a share from 0 to 1 with at most six decimals, such as 0.05",
        );
        check(
            "a=http://a:1,fee=0.1;a=http://a:2,fee=0.2",
            "two processors are named a",
        );
        let nine: Vec<_> = (0..9).map(|n| format!("p{n}=http://a:1,fee=0.1")).collect();
        check(&nine.join(";"), "9 processors given; 1 to 8 work");
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
        let names: Vec<_> = processors.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["z", "c", "b", "a"]);
    }
}
