//! Two faults at once: a verb names the one that its enum of rejections lists first.

use ledger::account::{self, AccountRejection};
use ledger::adjust::{self, Adjustment, MoveRejection, Transfer};
use ledger::decision::Draft;
use ledger::earn::{EarnRejection, admit};
use ledger::entry::{LineName, ReturnedLine};
use ledger::hold::{HOLDS_MAX, HoldRejection};
use ledger::holdings::{Hold, Share};
use ledger::reverse::{ReverseRejection, Wanted, lessened};
use ledger::{Activity, Entry, HoldId, RedeemedReward, Seq, WalletName};

use super::*;

const SHARED: &str = r#"
name = "Test"
currency = "EUR"
time_zone = "Europe/Berlin"
main_wallet = "points"
[wallets.points]
shared = true
[wallets.miles]
"#;

const NOW: &str = "2026-05-02T08:30:00Z";

fn named(name: &str) -> Member {
    Member { id: MemberId::parse(name).unwrap(), ..member("none", &[]) }
}

fn erased(name: &str) -> Member {
    Member { erased_at: Some(moment(NOW)), ..named(name) }
}

fn purchase(at: &str) -> Activity {
    let line = |sku: &str, price: Option<&str>| Line {
        sku: Some(sku.to_owned()),
        quantity: Decimal::ONE,
        price: price.map(|price| price.parse().unwrap()),
        ..Line::default()
    };
    let order = Order {
        total: "10.00".parse().unwrap(),
        lines: vec![line("tea", Some("10.00")), line("bag", None)],
        ..Order::default()
    };
    Activity {
        id: "1".to_owned(),
        kind: "purchase".to_owned(),
        at: moment(at),
        order: Some(order),
        channel: None,
        payment: None,
        of: None,
        fields: BTreeMap::new(),
    }
}

#[test]
fn of_two_faults_of_an_earn_the_first_of_the_enum_is_named() {
    let earn = |member: &Member, at: &str| admit(member, moment(at), moment(NOW)).unwrap_err();
    let late = Member { enrolled_at: moment("2026-07-01T00:00:00Z"), ..named("ada") };
    type E = EarnRejection;
    assert!(matches!(earn(&erased("ada"), "2026-06-01T00:00:00Z"), E::Erased(_)));
    assert!(matches!(earn(&late, "2026-06-01T00:00:00Z"), E::ActivityIsInTheFuture { .. }));
}

#[test]
fn of_two_faults_of_joining_the_first_of_the_enum_is_named() {
    let now = moment(NOW);
    let bundle = load(&[("merchant.toml", SHARED), ("earn.rhai", "")]).unwrap();
    let alone = bundle_without_sharing();
    let sharer = |name: &str| Member { account: MemberId::parse("home").ok(), ..named(name) };
    let join = |member: &Member, account: &Member, bundle: &Bundle| {
        account::join(member, account, bundle.programme(), now).unwrap_err()
    };
    let itself = Member { sharers: 2, ..named("ada") };
    type A = AccountRejection;
    assert!(matches!(join(&erased("ada"), &erased("bob"), &alone), A::Erased(_)));
    assert!(matches!(join(&named("ada"), &erased("bob"), &alone), A::AccountIsErased(_)));
    assert!(matches!(join(&sharer("ada"), &named("bob"), &alone), A::NothingIsShared));
    assert!(matches!(join(&sharer("ada"), &sharer("ada"), &bundle), A::MemberHasAnAccount { .. }));
    assert!(matches!(join(&itself, &sharer("ada"), &bundle), A::MemberIsTheAccount(_)));
    assert!(matches!(join(&itself, &sharer("bob"), &bundle), A::AccountHasAnAccount(_)));
    let leave = account::leave(&erased("ada"), None, bundle.programme(), now);
    assert!(matches!(leave, Err(A::Erased(_))));
}

fn bundle_without_sharing() -> Bundle {
    bundle("").unwrap()
}

#[test]
fn of_two_faults_of_a_transfer_or_an_adjustment_the_first_of_the_enum_is_named() {
    let now = moment(NOW);
    let bundle = load(&[("merchant.toml", SHARED), ("earn.rhai", "")]).unwrap();
    let programme = bundle.programme();
    let transfer = |from: &Member, to: &Member, wallet: &str| {
        let nothing = Transfer {
            to: to.id.clone(),
            wallet: Some(wallet.to_owned()),
            units: Units::ZERO,
            reason: None,
        };
        adjust::transfer(from, to, programme, nothing, now).unwrap_err()
    };
    type M = MoveRejection;
    assert!(matches!(transfer(&erased("ada"), &erased("ada"), "x"), M::Erased(_)));
    assert!(matches!(transfer(&named("ada"), &erased("ada"), "x"), M::BothSidesAreOne(_)));
    assert!(matches!(transfer(&named("ada"), &erased("bob"), "x"), M::ReceiverIsErased(_)));
    assert!(matches!(transfer(&named("ada"), &named("bob"), "x"), M::WalletIsUnknown(_)));
    let not_transferable = transfer(&named("ada"), &named("bob"), "miles");
    assert!(matches!(not_transferable, M::WalletIsNotTransferable(_)));
    let adjust = |member: &Member, wallet: &str| {
        let nothing = Adjustment {
            wallet: Some(wallet.to_owned()),
            units: 0,
            reason: "x".to_owned(),
            author: "x".to_owned(),
        };
        adjust::decide(member, programme, nothing, now).unwrap_err()
    };
    assert!(matches!(adjust(&erased("ada"), "x"), M::Erased(_)));
    assert!(matches!(adjust(&named("ada"), "x"), M::WalletIsUnknown(_)));
}

/// The entry of an activity that paid nothing.
fn earned(activity: Activity) -> Entry {
    let bundle = load(&[("merchant.toml", SHARED), ("earn.rhai", "")]).unwrap();
    let programme = bundle.programme();
    let (member, at) = (named("ada"), activity.at);
    ledger::earn::decide(&member, programme, activity, Share::ALL, Draft::default(), at)
        .unwrap()
        .entry
}

#[test]
fn of_two_faults_of_a_return_the_first_of_the_enum_is_named() {
    let lessen = |lines: &[(&str, u32)], refund: Option<&str>| {
        let line = |(sku, quantity): &(&str, u32)| ReturnedLine {
            of: LineName::Sku((*sku).to_owned()),
            quantity: Decimal::from(*quantity),
        };
        let wanted = Wanted {
            lines: lines.iter().map(line).collect(),
            refund: refund.map(|refund| refund.parse().unwrap()),
        };
        lessened(&earned(purchase(NOW)), &[], &wanted, 2).unwrap_err()
    };
    type R = ReverseRejection;
    assert!(matches!(lessen(&[("cup", 1)], Some("99.00")), R::LineIsUnknown { .. }));
    assert!(matches!(lessen(&[("bag", 1), ("cup", 1)], None), R::LineIsUnknown { .. }));
    assert!(matches!(lessen(&[("tea", 2), ("cup", 1)], None), R::LineIsUnknown { .. }));
    let more = lessen(&[("tea", 2)], Some("99.00"));
    assert!(matches!(more, R::MoreComesBackThanIsLeft { .. }));
    assert!(matches!(lessen(&[("tea", 1), ("bag", 1)], None), R::RefundIsMissing { .. }));
    assert!(matches!(lessen(&[("tea", 1)], Some("10.01")), R::RefundIsTooMuch { .. }));
}

#[test]
fn of_two_faults_of_a_hold_the_first_of_the_enum_is_named() {
    let bundle = load(&[("merchant.toml", SHARED), ("earn.rhai", "")]).unwrap();
    let now = moment(NOW);
    let reward = RedeemedReward {
        name: "cup".to_owned(),
        source: "earn.rhai:1".to_owned(),
        wallet: WalletName::parse("points").unwrap(),
        costs: Units::ONE,
        gives: None,
    };
    let hold = Hold {
        until: moment("2026-06-01T00:00:00Z"),
        entry: Seq::FIRST,
        reward: reward.name.clone(),
        counted: None,
        stock: false,
    };
    let holds = (0..HOLDS_MAX).map(|number| (HoldId::new(number.to_string()), hold.clone()));
    let full = Member { holds: holds.collect(), ..named("ada") };
    let held = ledger::hold::hold(&full, bundle.programme(), reward, None, Draft::default(), now);
    assert!(matches!(held, Err(HoldRejection::Redeem(_))), "{held:?}");
}
