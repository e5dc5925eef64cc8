//! What a file of plans may say, and how its mistakes are told.

use super::*;

#[test]
fn an_empty_file_says_what_is_built_in() {
    assert_eq!(read("").unwrap(), *Catalogue::built_in());
}

#[test]
fn a_file_says_only_what_is_different() {
    let catalogue = read("default_plan = \"starter\"\nsuspend_after_trial = true").unwrap();
    assert_eq!(catalogue.default_plan, "starter");
    let first = catalogue.first_terms().unwrap();
    assert!(first.suspend_after_trial && first.trial_days == 14);
    assert!(!catalogue.plan("pro").unwrap().suspend_after_trial, "it has no trial");
}

#[test]
fn plans_stand_in_the_place_of_the_built_in_ones() {
    let text = r#"
        default_plan = "team"
        regions = ["here"]

        [[plans]]
        name = "team"
        monthly_price = 12
        annual_price = "129.50"
        limits = { databases = 2, included_seats = 4 }
    "#;
    let catalogue = read(text).unwrap();
    let team = catalogue.plan("team").unwrap();
    assert_eq!((team.label.as_str(), catalogue.plans.len()), ("team", 1));
    assert_eq!(team.monthly_price, Dollars::from(12));
    assert_eq!(team.annual_price, Some(Dollars::new(12_950, 2)));
    assert_eq!((team.limits.databases, team.limits.projects), (2, 0));
    assert_eq!(team.prices, Terms::unlimited().prices);
    assert_eq!(catalogue.regions, ["here"]);
}

#[test]
fn each_mistake_is_told() {
    let plan = |rest: &str| format!("default_plan = \"a\"\n[[plans]]\nname = \"a\"\n{rest}");
    for (text, words) in [
        ("default_plan = \"none\"".to_owned(), "names no plan: `none`"),
        ("defaultplan = \"a\"".to_owned(), "unknown field `defaultplan`"),
        (plan(""), "missing field `monthly_price`"),
        (plan("monthly_price = \"nine\""), "`nine` is no price"),
        (plan("monthly_price = 9.5"), "plan `a`"),
        (plan("monthly_price = \"9.999\""), "at most two decimals"),
        (plan("monthly_price = -1"), "at most two decimals"),
        (plan("monthly_price = 1\nseats = 2"), "unknown field `seats`"),
        (plan("monthly_price = 1\nlimits = { seats = 2 }"), "unknown field `seats`"),
        (plan("monthly_price = 1\ntrial_days = 4000"), "ten years"),
        (plan("monthly_price = 1\n[[plans]]\nname = \"a\"\nmonthly_price = 2"), "two plans"),
        (plan("monthly_price = 1\n[[plans]]\nname = \"A b\"\nmonthly_price = 2"), "its name"),
        ("regions = []".to_owned(), "`regions`"),
    ] {
        let mistakes = read(&text).expect_err(&text).join("; ");
        assert!(mistakes.contains(words), "{text}: {mistakes}");
    }
}
