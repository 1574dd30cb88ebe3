//! The report on a merchant's table, in numbers and in words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use ledger::GrantEnd;
use ledger::entry::Benefit;
use ledger::{
    Entry, EntryKind, Member, MemberId, Moment, Movement, PostingSide, Programme, Units, WalletName,
};
use rules::Bundle;
use rust_decimal::Decimal;
use serde_json::json;
use store::{History, MemberKey, Store};

use crate::counts::Counts;
use crate::result::CommandResult;
use crate::show::{money, shop_time, table, whole};

/// The totals of a merchant's table.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) members: u64,
    pub(crate) wallets: BTreeMap<WalletName, Wallet>,
    pub(crate) tiers: BTreeMap<String, u64>,
    pub(crate) rewards: BTreeMap<String, u64>,
    pub(crate) orders: u64,
    pub(crate) spent: Decimal,
    /// The number of entries of each kind, by member.
    eventful: BTreeMap<MemberId, Eventful>,
}

#[derive(Debug, Default)]
struct Eventful {
    earned: u64,
    redeemed: u64,
    expired: u64,
    tiers: u64,
}

/// The totals of one wallet over all members. Units redeemed and expired are positive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wallet {
    pub(crate) earned: i64,
    pub(crate) redeemed: i64,
    pub(crate) expired: i64,
    pub(crate) reversed: i64,
    pub(crate) adjusted: i64,
    pub(crate) balance: i64,
    pub(crate) pending: i64,
}

impl Totals {
    /// Adds up the merchant's whole table, as of a moment.
    pub(crate) async fn of(store: &Store, bundle: &Bundle, now: Moment) -> CommandResult<Totals> {
        let programme = bundle.programme();
        let mut totals = Totals::default();
        for wallet in programme.wallets.keys() {
            totals.wallets.insert(wallet.clone(), Wallet::default());
        }
        for tier in bundle.tiers() {
            totals.tiers.insert(tier.to_owned(), 0);
        }
        let mut members = Vec::new();
        store
            .each(&programme.merchant, |history: History| {
                let member = history.member().clone();
                for version in history.versions() {
                    totals.entry(&member.id, &version.entry);
                }
                members.push(member);
            })
            .await?;
        for member in members {
            totals.member(&Arc::new(member), bundle, now)?;
        }
        Ok(totals)
    }

    fn member(&mut self, member: &Arc<Member>, bundle: &Bundle, now: Moment) -> CommandResult {
        self.members += 1;
        for (name, wallet) in &member.wallets {
            let total = self.wallets.entry(name.clone()).or_default();
            total.balance += wallet.spendable(now).get();
            total.pending += wallet.pending(now).get();
        }
        if let Some(tier) = decide::tier_status(bundle, member, now)?.tier {
            *self.tiers.entry(tier).or_default() += 1;
        }
        Ok(())
    }

    fn entry(&mut self, member: &MemberId, entry: &ledger::Entry) {
        let eventful = self.eventful.entry(member.clone()).or_default();
        eventful.tiers += u64::from(entry.tier.is_some());
        match &entry.kind {
            EntryKind::Earn { activity, .. } => {
                eventful.earned += 1;
                if let Some(order) = &activity.order {
                    self.orders += 1;
                    self.spent += order.total;
                }
            }
            EntryKind::Redeem { reward, .. } => {
                eventful.redeemed += 1;
                *self.rewards.entry(reward.name.clone()).or_default() += 1;
            }
            EntryKind::Expire => eventful.expired += 1,
            _ => {}
        }
        for posting in entry.postings.iter().filter(|posting| !posting.shared) {
            let wallet = self.wallets.entry(posting.wallet.clone()).or_default();
            let change = posting.change();
            match posting.why.movement() {
                Some(Movement::Issued) => wallet.earned += change,
                Some(Movement::Redeemed) => wallet.redeemed -= change,
                Some(Movement::Expired) => wallet.expired -= change,
                Some(Movement::Reversed) => wallet.reversed += change,
                Some(Movement::Adjusted) => wallet.adjusted += change,
                // Over all members of a programme a transfer changes no total.
                Some(Movement::Transferred) | None => {}
            }
        }
    }

    /// The member whose history shows most of the programme.
    pub(crate) fn most_telling(&self) -> Option<&MemberId> {
        let rank = |eventful: &Eventful| {
            let kinds = [eventful.earned, eventful.redeemed, eventful.expired, eventful.tiers];
            let kinds = kinds.iter().filter(|times| **times > 0).count();
            // About 14 lines, so that people read the history to its end.
            let lines = eventful.earned + eventful.redeemed + eventful.expired;
            (kinds, eventful.tiers.min(3), lines.abs_diff(14).wrapping_neg())
        };
        self.eventful.iter().max_by_key(|(_, eventful)| rank(eventful)).map(|(member, _)| member)
    }

    /// The report as one JSON object.
    pub(crate) fn json(&self, counts: &Counts, took: Duration) -> serde_json::Value {
        let wallets: serde_json::Map<String, serde_json::Value> = self
            .wallets
            .iter()
            .map(|(name, wallet)| {
                let totals = json!({
                    "earned": wallet.earned,
                    "redeemed": wallet.redeemed,
                    "expired": wallet.expired,
                    "reversed": wallet.reversed,
                    "adjusted": wallet.adjusted,
                    "balance": wallet.balance,
                    "pending": wallet.pending,
                });
                (name.to_string(), totals)
            })
            .collect();
        json!({
            "members": self.members,
            "activities": counts.activities,
            "duplicates": counts.duplicates,
            "rejected": counts.rejected,
            "wallets": wallets,
            "tiers": self.tiers,
            "seconds": took.as_secs_f64(),
        })
    }

    /// The report as tables, for a shop owner.
    pub(crate) fn table(&self, bundle: &Bundle, counts: &Counts) -> String {
        let programme = bundle.programme();
        let code = programme.currency.code();
        let decimals = ledger::money::decimals(programme.currency);
        let amount = |amount: Decimal| money(amount, code, decimals);

        let mut page = format!(
            "{}: {} members placed {} orders for {}.\n",
            programme.name,
            whole(self.members),
            whole(self.orders),
            amount(self.spent),
        );
        if counts.duplicates > 0 {
            page += &format!(
                "{} of them were known already and changed nothing.\n",
                whole(counts.duplicates)
            );
        }
        if counts.rejected > 0 {
            page += &format!("{} lines were refused.\n", whole(counts.rejected));
        }

        let mut wallets =
            table(["wallet", "#earned", "#redeemed", "#expired", "#outstanding", "#worth"]);
        for (name, wallet) in &self.wallets {
            let outstanding = wallet.balance + wallet.pending;
            let worth = programme.wallets.get(name).and_then(|policy| policy.worth);
            let worth = worth.zip(Units::new(outstanding).ok());
            let worth = worth.and_then(|(worth, units)| units.checked_worth(worth));
            wallets.add_row([
                name.to_string(),
                whole(wallet.earned),
                whole(wallet.redeemed),
                whole(wallet.expired),
                whole(outstanding),
                worth.map_or_else(|| "only counted".to_owned(), amount),
            ]);
        }
        page += &format!("\n{wallets}\n");

        let mut tiers = table(["tier", "#members", ""]);
        let most = self.tiers.values().copied().max().unwrap_or_default().max(1);
        for tier in bundle.tiers() {
            let members = self.tiers.get(tier).copied().unwrap_or_default();
            // Thirty blocks for the largest tier, and at least one for any tier with members.
            let blocks = usize::try_from((members * 30).div_ceil(most)).unwrap_or_default();
            tiers.add_row([tier.to_owned(), whole(members), "█".repeat(blocks)]);
        }
        page += &format!("\n{tiers}\n");

        if !self.rewards.is_empty() {
            let mut rewards = table(["reward", "#taken", "costs"]);
            for (name, costs) in bundle.rewards() {
                let taken = self.rewards.get(name).copied().unwrap_or_default();
                let costs = format!("{} {}", whole(costs.least.get()), costs.wallet);
                rewards.add_row([name.to_owned(), whole(taken), costs]);
            }
            page += &format!("\n{rewards}\n");
        }
        page
    }
}

/// An entry in words, and a row for each rule or posting: the reason, and the units.
fn rows_of(entry: &Entry, programme: &Programme) -> (String, Vec<(String, String)>) {
    let zone = programme.time_zone;
    let mut rows: Vec<(String, String)> = Vec::new();
    let what = match &entry.kind {
        EntryKind::Earn { activity } => {
            rows.extend(entry.reasons.iter().map(|reason| {
                (format!("{} ({})", reason.rule, reason.source), say_effect(&reason.effect, zone))
            }));
            match &activity.order {
                Some(order) => {
                    format!("{} of {} {}", activity.kind, order.total, programme.currency.code())
                }
                None => activity.kind.clone(),
            }
        }
        EntryKind::Redeem { reward, .. } => {
            let units = format!("-{} {}", whole(reward.costs.get()), reward.wallet);
            rows.push((format!("{} ({})", reward.name, reward.source), units));
            "took a reward".to_owned()
        }
        EntryKind::Expire => {
            rows.extend(entry.postings.iter().map(|posting| {
                (
                    "their time was up".to_owned(),
                    format!("{} {}", whole(posting.change()), posting.wallet),
                )
            }));
            "units expired".to_owned()
        }
        what => {
            rows.extend(entry.reasons.iter().map(|reason| {
                let why = format!("{} ({})", reason.rule, reason.source);
                (why, say_effect(&reason.effect, zone))
            }));
            if rows.is_empty() {
                let moved = |posting: &ledger::Posting| {
                    let owed = posting.from == Some(PostingSide::Debt);
                    let why = if owed { "owed" } else { "" };
                    let units = format!("{:+} {}", posting.change(), posting.wallet);
                    (why.to_owned(), units)
                };
                rows.extend(entry.postings.iter().map(moved));
            }
            what.verb().to_string()
        }
    };
    (what, rows)
}

/// A member's history as a table, with the rule that paid each line.
pub(crate) async fn story(
    store: &Store,
    bundle: &Bundle,
    member: &MemberId,
) -> CommandResult<String> {
    let programme = bundle.programme();
    let at = MemberKey { merchant: programme.merchant.clone(), member: member.clone() };
    let mut versions = Vec::new();
    let mut before = None;
    loop {
        let page = store.statement(&at, before, 100).await?;
        let page = page.ok_or_else(|| format!("there is no member {at}"))?;
        versions.extend(page.versions);
        before = page.before;
        if before.is_none() {
            break;
        }
    }
    let main = &programme.main_wallet;
    let balance_head = format!("#{main} left");
    let mut lines = table(["date", "what happened", "why", "#units", &balance_head]);
    for entry in versions.iter().rev().map(|version| &version.entry) {
        let date = entry.at.with_timezone(&programme.time_zone).date_naive().to_string();
        let balance =
            entry.balances.get(main).map_or_else(|| "0".to_owned(), |units| whole(units.get()));
        let (what, mut rows) = rows_of(entry, programme);
        if let Some(change) = &entry.tier {
            let tier = change.to.as_deref().unwrap_or("no tier");
            rows.push((format!("now in tier {tier}"), String::new()));
        }
        let last = rows.len().saturating_sub(1);
        if rows.is_empty() {
            rows.push(("no rule paid".to_owned(), String::new()));
        }
        for (place, (why, units)) in rows.into_iter().enumerate() {
            let (date, what) = if place == 0 { (date.as_str(), what.as_str()) } else { ("", "") };
            let balance = if place == last { balance.as_str() } else { "" };
            lines.add_row([date, what, &why, &units, balance]);
        }
    }
    Ok(format!("The story of member {member}, with the rule that paid each line:\n\n{lines}\n"))
}

/// A benefit in words, on one line.
pub(crate) fn say_gift(gives: &Benefit, currency: &str) -> String {
    match gives {
        Benefit::Product { title } | Benefit::Event { title } | Benefit::Access { title } => {
            title.clone()
        }
        Benefit::Discount { amount } => format!("{amount} {currency} off the order"),
        Benefit::PercentOff { percent } => format!("{percent} % off the order"),
        Benefit::FreeShipping => "free shipping".to_owned(),
        Benefit::GiftCard { amount } => format!("a gift card of {amount} {currency}"),
        Benefit::Payout { amount } => format!("{amount} {currency} paid out"),
        Benefit::Voucher { pool, code } => format!("{code} from {pool}"),
    }
}

/// An effect in words, on one line.
pub(crate) fn say_effect(outcome: &ledger::Effect, zone: Tz) -> String {
    use ledger::Effect as O;
    match outcome {
        O::Units { wallet, units } => format!("+{} {wallet}", whole(units.get())),
        O::Grant { grant, until: GrantEnd::Never } => format!("grants {grant}"),
        O::Grant { grant, until: GrantEnd::At(until) } => {
            format!("grants {grant} until {}", shop_time(*until, zone))
        }
        O::Revoke { grant } => format!("takes back {grant}"),
        O::Tag { tag } => format!("tags {tag}"),
        O::Untag { tag } => format!("takes off the tag {tag}"),
        O::Voucher { pool, code, .. } => format!("gives {code} from {pool}"),
        O::Referral { referrer, .. } => format!("tells {referrer}"),
        O::Score { contest, units } => format!("+{} in {contest}", whole(units.get())),
        O::Reclaim { wallet, units } => format!("-{} {wallet}", whole(units.get())),
        O::Void { pool, code } => format!("{code} from {pool} is good no more"),
        O::Unscore { contest, units } => format!("-{} in {contest}", whole(units.get())),
    }
}
