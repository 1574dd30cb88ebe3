//! The examples of the reference.

use super::*;

#[test]
fn the_manifest_and_the_spec_of_the_reference_are_right() {
    let page = rules::reference();
    let mut pieces = page.split("```toml\n").skip(1);
    let mut piece = || pieces.next().unwrap().split("```").next().unwrap().to_owned();
    let (manifest, spec) = (piece(), piece());
    // Its wallet waits; the spec's does not.
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
