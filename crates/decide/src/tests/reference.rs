//! A test of the examples in the reference.

use super::*;

#[test]
fn the_manifest_and_the_spec_of_the_reference_are_right() {
    let page = rules::reference();
    let mut pieces = page.split("```toml\n").skip(1);
    let mut piece = || pieces.next().unwrap().split("```").next().unwrap().to_owned();
    let (manifest, spec) = (piece(), piece());
    // Without these lines the wallet's units are not pending, as the spec expects.
    let waits = |line: &&str| line.starts_with("pending_days") || line.starts_with("pending_until");
    let manifest: String =
        manifest.lines().filter(|line| !waits(line)).map(|line| format!("{line}\n")).collect();
    let merchant = MerchantId::parse("test").unwrap();
    let sources = Sources::of([
        ("merchant.toml", manifest.as_str()),
        ("earn.rhai", "earn \"a\" on purchase { order.total }"),
        ("earn.spec.toml", &spec),
    ]);
    proven(&merchant, &sources).unwrap();
}
