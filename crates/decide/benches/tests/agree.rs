//! All engines pay the same.

#[test]
fn all_engines_pay_the_same_in_every_case() {
    peers::agree::check();
}
