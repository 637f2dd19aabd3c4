/// The first paragraph of what clap says of an error, in one line; it names the option and its
/// value. The advice that follows it is left out.
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let paragraph: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_every_option_that_it_speaks_of() {
        let command = Command::new("program").args(["redis", "nats"].map(|name| {
            let option = Arg::new(name).long(name).value_name("URL");
            option.required(true)
        }));
        let error = command.try_get_matches_from(["program"]).unwrap_err();
        assert_eq!(
            one_line(&error),
            "error: the following required arguments were not provided: --redis <URL> --nats <URL>"
        );
    }
}
