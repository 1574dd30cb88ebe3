//! Orders that come back piece by piece, in any sequence and in currencies of 0, 2 and 3 decimals:
//! in the end nothing is left of them, neither money nor units, and at each step the member has
//! what the rules say of what is left.

use ledger::entry::{LineName, ReturnedLine};
use ledger::reverse::{Reversals, Wanted, left_of};
use ledger::{Entry, EntryKind, FieldValue, HistorySlice, OrderAmounts, Payment};
use proptest::prelude::*;

use super::*;
use crate::{About, Reversal, ReversedPart, reverse};

const RULES: &str = r#"
earn "total" on purchase { order.total }
earn "net" on purchase { order.net * 3 }
earn "goods" on purchase when order.total >= 10 { order.goods * 2 }
earn "tea" on purchase { order.spent("tea") * 7 }
earn "weight" on purchase { order.quantity("tea") * 100 }
earn "pieces" on purchase into stamps { order.pieces }
earn "card" on purchase into stamps { order.paid("card") }
earn "fee" on purchase into stamps { activity.fee * 10 }
earn "lines" on purchase { let sum = 0; for line in order.lines { sum += line.amount * 2; } sum }
"#;

fn shop(currency: &str) -> Bundle {
    let manifest = format!(
        "name = \"T\"\ncurrency = \"{currency}\"\ntime_zone = \"UTC\"\n[wallets.points]\n[wallets.stamps]\n\
         [activities.purchase]\nfields = {{ fee = \"amount\" }}\n"
    );
    load(&[("merchant.toml", &manifest), ("rules.rhai", RULES)]).unwrap()
}

/// A line in plain numbers: quantity in thousandths, price and discount in coins.
type PlainLine = (bool, u32, u32, u32);

fn order_of(lines: &[PlainLine], charges: [u32; 4], total: u32, decimals: u32) -> Order {
    let coins = |number: u32| Decimal::new(number.into(), decimals);
    let line = |(place, (weighed, quantity, price, discount)): (usize, &PlainLine)| Line {
        id: Some(place.to_string()),
        sku: Some(format!("sku-{}", place % 2)),
        categories: vec![if place % 2 == 0 { "tea" } else { "pot" }.to_owned()],
        quantity: match weighed {
            true => Decimal::new((*quantity).into(), 3).normalize(),
            false => Decimal::from(quantity % 5 + 1),
        },
        unit: weighed.then(|| "kg".to_owned()),
        price: Some(coins(*price)),
        // A discount takes at most what the line costs.
        discount: coins((*discount).min(price / 1000)),
        ..Line::default()
    };
    let [discount, shipping, tax, tip] = charges.map(coins);
    let total = coins(total) + shipping + tip;
    let card = Decimal::new(1, decimals).max(total / Decimal::TWO).round_dp(decimals).min(total);
    let payments = [("card", card), ("cash", total - card)]
        .map(|(method, amount)| Payment { method: method.to_owned(), amount });
    Order {
        total,
        lines: lines.iter().enumerate().map(line).collect(),
        amounts: OrderAmounts { discount, shipping, tax, tip },
        payments: payments.into(),
        ..Order::default()
    }
}

fn balances(member: &Member) -> [i64; 2] {
    let now = moment("2026-05-02T09:00:00Z");
    ["points", "stamps"].map(|wallet| {
        let wallet = member.wallet(wallet);
        wallet.spendable(now).get() - wallet.debt().get()
    })
}

/// Each amount is in the proportion of what is left of the total, to the coin.
fn assert_shrunk(rest: &Order, first: &Order, decimals: u32) {
    let whole = first.total;
    let half_a_coin = Decimal::new(5, decimals + 1);
    for (amount, before) in [
        (rest.amounts.tax, first.amounts.tax),
        (rest.amounts.shipping, first.amounts.shipping),
        (rest.amounts.tip, first.amounts.tip),
    ] {
        assert!((amount * whole - before * rest.total).abs() <= half_a_coin * whole);
    }
    let paid: Decimal = rest.payments.iter().map(|payment| payment.amount).sum();
    assert_eq!(paid, rest.total);
}

/// All of a line, or a part of it: a piece, or some grams; or money alone.
fn next_return(rest: &Order, what: usize, part: u32, decimals: u32) -> Wanted {
    match rest.lines.get(what % (rest.lines.len() + 1)) {
        Some(line) => {
            let some = match line.unit {
                Some(_) => Decimal::new((part % 5_000 + 1).into(), 3),
                None => Decimal::ONE,
            };
            let quantity =
                if part.is_multiple_of(3) { line.quantity } else { some.min(line.quantity) };
            let of = LineName::Line(line.id.clone().unwrap());
            Wanted { lines: vec![ReturnedLine { of, quantity }], refund: None }
        }
        None => {
            let coins = Decimal::new(1 + i64::from(part % 1_000), decimals);
            Wanted { lines: Vec::new(), refund: Some(coins.min(rest.total)) }
        }
    }
}

/// What is left of the order by the entries so far, as a purchase of its own.
fn left(entries: &[Entry], decimals: u32) -> Option<Activity> {
    let first = entries.first().unwrap();
    let reversals = Reversals::of(entries, first.seq.next(), &[], decimals);
    left_of(first, &reversals.back(first.seq), decimals).ok()
}

fn come_back(lines: &[PlainLine], charges: [u32; 4], total: u32, steps: &[(u8, u32)], zone: usize) {
    let (currency, decimals) = [("JPY", 0), ("EUR", 2), ("KWD", 3)][zone];
    let bundle = shop(currency);
    let order = order_of(lines, charges, total, decimals);
    let (whole, first) = (order.total, order.clone());
    let ada = member("none", &[]);
    let fields = [("fee".to_owned(), FieldValue::Amount(order.amounts.tax))].into();
    let bought = Activity { order: Some(order), fields, payment: None, ..purchase() };
    let decision = earn_now(&bundle, &ada, bought).unwrap();
    let (mut now, mut entries) = (decision.member, vec![decision.entry]);
    let mut refunded = Decimal::ZERO;
    let returned = |entries: &[Entry]| match &entries.last().unwrap().kind {
        EntryKind::Reverse { returned, .. } => returned.clone().map(|returned| returned.refund),
        _ => None,
    };
    let undo = |now: &mut Member, entries: &mut Vec<Entry>, wanted: Option<&Wanted>| {
        let rules = vec![bundle.hash().to_string(); entries.len()];
        let slice = HistorySlice { before: ada.clone(), entries: entries.clone(), rules };
        let slices = [(ada.id.clone(), slice)].into();
        let data = DecisionData { slices, ..data(&bundle) };
        let context = context(&bundle, &data, moment("2026-05-02T09:00:00Z"));
        let part = wanted.cloned().map(ReversedPart::Order);
        let reversal = Reversal::of(&entries[0], part, About::Nothing);
        let decision = reverse(&context, now, &reversal).unwrap();
        *now = decision.member;
        entries.push(decision.entry);
        let rest = left(entries, decimals).and_then(|left| left.order);
        let rest = rest.unwrap_or_default();
        assert_shrunk(&rest, &first, decimals);
        // The rules say of what is left what they would say of it alone, be it more or less.
        let alone = left(entries, decimals).map_or([0, 0], |left| {
            assert_eq!(
                left.order.as_ref().unwrap().total,
                whole - refunded_of(entries),
                "{left:?}"
            );
            balances(&earn_now(&bundle, &ada, left).unwrap().member)
        });
        assert_eq!(balances(now), alone);
    };
    for (what, part) in steps {
        let Some(rest) = left(&entries, decimals).and_then(|left| left.order) else { break };
        let wanted = next_return(&rest, usize::from(*what), *part, decimals);
        if wanted.lines.is_empty() && rest.total.is_zero() {
            continue;
        }
        undo(&mut now, &mut entries, Some(&wanted));
        refunded += returned(&entries).unwrap_or_default();
    }
    if let Some(rest) = left(&entries, decimals) {
        assert_eq!(rest.order.unwrap().total, whole - refunded);
        undo(&mut now, &mut entries, None);
    }
    assert_eq!(balances(&now), [0, 0]);
    assert!(left(&entries, decimals).is_none());
    assert_eq!(now.history.spend, Decimal::ZERO);
}

fn refunded_of(entries: &[Entry]) -> Decimal {
    let refund = |entry: &Entry| match &entry.kind {
        EntryKind::Reverse { returned: Some(returned), .. } => Some(returned.refund),
        _ => None,
    };
    entries.iter().filter_map(refund).sum()
}

#[test]
fn a_return_gives_more_where_a_coin_of_the_rest_is_rounded_up() {
    let lines = [
        (false, 2003, 4315, 0),
        (true, 4249, 13135, 0),
        (true, 4747, 6256, 2),
        (true, 4767, 10742, 0),
    ];
    let steps = [(153, 3_142_693_959), (217, 624_164_066), (125, 3_320_720_180), (181, 0)];
    come_back(&lines, [0, 286, 0, 87], 7339, &steps, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_order_that_comes_back_leaves_neither_money_nor_units(
        lines in prop::collection::vec((any::<bool>(), 1..5_000u32, 0..20_000u32, 0..500u32), 0..5),
        charges in [0..500u32, 0..1_000u32, 0..3_000u32, 0..300u32],
        total in 0..60_000u32,
        steps in prop::collection::vec((any::<u8>(), any::<u32>()), 0..12),
        zone in 0..3usize,
    ) {
        come_back(&lines, charges, total, &steps, zone);
    }
}
