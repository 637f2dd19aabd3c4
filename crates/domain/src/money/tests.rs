use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Result<i64, MoneyError>) {
    assert_eq!(text.parse::<Money>().map(Money::cents), expected, "{text}");
}

#[test]
fn numbers_with_at_most_two_decimals_are_money() {
    for (text, cents) in [
        ("19.9", 1990),
        ("19.90", 1990),
        ("20", 2000),
        ("1e2", 10_000),
        ("1E+2", 10_000),
        ("1990e-2", 1990),
        ("0.01", 1),
        ("0.0100000000000000000000000000", 1),
        ("9999999999.99", 999_999_999_999),
        ("0.000001e6", 100),
    ] {
        check(text, Ok(cents));
    }
}

#[test]
fn anything_else_is_not_money() {
    use MoneyError::{FractionOfACent, NotANumber, NotPositive, TooLarge};
    for (text, error) in [
        ("19.905", FractionOfACent),
        ("19.900000000000000000000001", FractionOfACent),
        ("1e-3", FractionOfACent),
        ("1e-99999999999999999999", FractionOfACent),
        ("0", NotPositive),
        ("-0", NotPositive),
        ("0.00", NotPositive),
        ("-1", NotPositive),
        ("10000000000", TooLarge),
        ("10000000000.00", TooLarge),
        ("1e400", TooLarge),
        ("1e99999999999999999999", TooLarge),
        ("99999999999999999999999999", TooLarge),
        ("NaN", NotANumber),
        ("Infinity", NotANumber),
        ("\"19.9\"", NotANumber),
        ("", NotANumber),
        ("-", NotANumber),
        ("1.", NotANumber),
        (".5", NotANumber),
        ("01", NotANumber),
        ("+1", NotANumber),
        ("1e", NotANumber),
        ("1 ", NotANumber),
        ("0x10", NotANumber),
        ("1_000", NotANumber),
    ] {
        check(text, Err(error));
    }
}

fn check_processor(text: &str, expected: Result<i64, MoneyError>) {
    let read = Money::from_processor(text);
    assert_eq!(read.map(Money::cents), expected, "{text}");
}

#[test]
fn a_processor_may_be_off_by_less_than_a_hundredth_of_a_cent() {
    use MoneyError::{FractionOfACent, NotANumber, NotPositive, TooLarge};
    for (text, expected) in [
        ("19.9", Ok(1990)),
        ("19.90", Ok(1990)),
        ("19.9000", Ok(1990)),
        ("1990e-2", Ok(1990)),
        ("0.00199E+4", Ok(1990)),
        ("2e1", Ok(2000)),
        ("19.900000000000002", Ok(1990)),
        ("19.899999999999999", Ok(1990)),
        ("19.90009999999999999", Ok(1990)),
        ("19.8999000000000000001", Ok(1990)),
        ("0.01", Ok(1)),
        ("0.0099999", Ok(1)),
        ("99999e-7", Ok(1)),
        ("9999999999.99", Ok(999_999_999_999)),
        ("9999999999.98999999", Ok(999_999_999_999)),
        ("19.901", Err(FractionOfACent)),
        ("19.9001", Err(FractionOfACent)),
        ("19.8999", Err(FractionOfACent)),
        ("19.905", Err(FractionOfACent)),
        ("0.005", Err(FractionOfACent)),
        ("1e-3", Err(FractionOfACent)),
        ("0", Err(NotPositive)),
        ("0e999999999999", Err(NotPositive)),
        ("1e-9", Err(NotPositive)),
        ("1e-99999999999999999999", Err(NotPositive)),
        ("0.00009999", Err(NotPositive)),
        ("-0", Err(NotPositive)),
        ("-19.9", Err(NotPositive)),
        ("9999999999.999999", Err(TooLarge)),
        ("10000000000", Err(TooLarge)),
        ("1e400", Err(TooLarge)),
        ("1e99999999999999999999", Err(TooLarge)),
        ("", Err(NotANumber)),
        ("NaN", Err(NotANumber)),
        ("19,90", Err(NotANumber)),
        ("+19.90", Err(NotANumber)),
        (" 19.90", Err(NotANumber)),
        ("19.", Err(NotANumber)),
    ] {
        check_processor(text, expected);
    }
}

#[test]
fn totals_print_to_the_cent() {
    let mut total = Total::default();
    assert_eq!(total.amount().to_string(), "0.00");
    for _ in 0..10_000 {
        total.add(1, i128::from(Money::MAX.cents()));
    }
    assert_eq!(total.amount().to_string(), "99999999999900.00");
}

proptest! {
    #[test]
    fn text_and_cents_round_trip(cents in 1..=Money::MAX.cents()) {
        let money = Money::from_cents(cents).unwrap();
        prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
    }

    #[test]
    fn an_amount_may_differ_by_less_than_a_hundredth_of_a_cent(
        cents in 2..Money::MAX.cents(),
        millionths in -9_999_i64..=9_999,
        scale in 0_i32..=12,
    ) {
        // In millionths of a cent, which is ten to the minus eighth.
        let units = cents * 1_000_000 + millionths;
        let text = format!("{units}{}e{}", "0".repeat(usize::try_from(scale)?), -8 - scale);
        prop_assert_eq!(Money::from_processor(&text).map(Money::cents), Ok(cents));
    }

    #[test]
    fn a_processor_may_not_be_off_by_a_hundredth_of_a_cent(
        cents in 1..Money::MAX.cents(),
        millionths in 10_000_i64..=990_000,
    ) {
        let units = cents * 1_000_000 + millionths;
        let text = format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
        prop_assert_eq!(
            Money::from_processor(&text),
            Err(MoneyError::FractionOfACent)
        );
    }

    #[test]
    fn a_processor_writes_every_amount_as_we_do(text in "-?[0-9]{1,14}(\\.[0-9]{1,4})?(e-?[0-9])?") {
        if let Ok(money) = text.parse::<Money>() {
            prop_assert_eq!(Money::from_processor(&text), Ok(money));
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[-+0-9.eE]{0,40}") {
        for money in [text.parse::<Money>(), Money::from_processor(&text)].into_iter().flatten() {
            prop_assert!(money.cents() > 0 && money <= Money::MAX);
        }
    }
}

#[test]
fn a_total_never_goes_below_nothing() {
    let mut total = Total::default();
    total.add(3, 500);
    assert_eq!(total.take_away(1, 200), Some(()));
    assert_eq!(total.take_away(3, 100), None);
    assert_eq!(total.take_away(1, 301), None);
    assert_eq!((total.count, total.cents), (2, 300));
}
