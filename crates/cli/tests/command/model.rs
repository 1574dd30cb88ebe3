//! The model: the programme of `rules/cdnow` in plain Rust, which shares nothing with the engine.

use std::collections::BTreeMap;

/// The totals that the programme should have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) members: u64,
    pub(crate) activities: u64,
    pub(crate) points: Wallet,
    pub(crate) status: Wallet,
    pub(crate) tiers: BTreeMap<String, u64>,
}

/// The totals of one wallet over all members.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wallet {
    pub(crate) earned: i64,
    pub(crate) redeemed: i64,
    pub(crate) expired: i64,
    pub(crate) balance: i64,
}

/// Months since the year 0.
type Month = i64;

/// One member's units by the month in which they were earned.
#[derive(Debug, Default)]
struct Units(BTreeMap<Month, i64>);

impl Units {
    /// The units left in a month. Units expire at the end of the twelfth month after theirs.
    fn there(&self, month: Month) -> i64 {
        self.0.iter().filter(|(earned, _)| **earned + 12 >= month).map(|(_, units)| units).sum()
    }

    fn spend(&mut self, units: i64, month: Month) {
        let mut missing = units;
        for (_, left) in self.0.iter_mut().filter(|(earned, _)| **earned + 12 >= month) {
            let part = missing.min(*left);
            *left -= part;
            missing -= part;
        }
        assert_eq!(missing, 0);
    }

    fn gone(&self, month: Month) -> i64 {
        self.0.values().sum::<i64>() - self.there(month)
    }
}

fn tier(status: i64) -> &'static str {
    match status {
        500.. => "Collector",
        150.. => "Fan",
        _ => "Listener",
    }
}

/// Computes the totals from the file, order by order, in cents and months.
pub(crate) fn expected(file: &str) -> Expected {
    struct Order<'a> {
        member: &'a str,
        day: &'a str,
        quantity: i64,
        cents: i64,
    }
    let mut orders: Vec<Order<'_>> = file
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            Order {
                member: fields[1],
                day: fields[2],
                quantity: fields[4].parse().unwrap(),
                cents: fields[5].replace('.', "").parse().unwrap(),
            }
        })
        .collect();
    orders.sort_by_key(|order| order.day);
    let month = |day: &str| -> Month {
        let (year, rest) = day.split_once('-').unwrap();
        let (month, _) = rest.split_once('-').unwrap();
        year.parse::<i64>().unwrap() * 12 + month.parse::<i64>().unwrap()
    };

    let mut all = Expected { activities: orders.len() as u64, ..Expected::default() };
    let mut members: BTreeMap<&str, (Units, Units)> = BTreeMap::new();
    for order in &orders {
        let now = month(order.day);
        let (points, status) = members.entry(order.member).or_default();
        let mut earned = order.cents * 2 / 100;
        if order.quantity >= 3 {
            earned += 25;
        }
        match tier(status.there(now)) {
            "Fan" => earned += earned / 2,
            "Collector" => earned += earned,
            _ => {}
        }
        *points.0.entry(now).or_default() += earned;
        *status.0.entry(now).or_default() += order.cents / 100;
        all.points.earned += earned;
        all.status.earned += order.cents / 100;

        let balance = points.there(now);
        let wants = if balance >= 1200 && tier(status.there(now)) != "Listener" {
            1200
        } else if balance >= 500 {
            500
        } else if balance >= 250 {
            250
        } else {
            continue;
        };
        points.spend(wants, now);
        all.points.redeemed += wants;
    }

    // The last expiry run, after the last order, is on 1 July 1998.
    let end = month("1998-07-01");
    all.members = members.len() as u64;
    for name in ["Listener", "Fan", "Collector"] {
        all.tiers.insert(name.to_owned(), 0);
    }
    for (points, status) in members.values() {
        for (wallet, units) in [(&mut all.points, points), (&mut all.status, status)] {
            wallet.expired += units.gone(end);
            wallet.balance += units.there(end);
        }
        *all.tiers.get_mut(tier(status.there(end))).unwrap() += 1;
    }
    all
}
