//! Rows of the tables, from members and their entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, ListBuilder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use backtest::{Origin, Recorded};
use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use ledger::{
    Effect, Entry, EntryKind, Member, MemberId, Moment, Order, Posting, PostingReason, Programme,
    Reason, Terms, WalletName,
};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::bought::Sale;
use crate::schema::{AMOUNT, Table};

/// What may leave the table: the attributes that the manifest names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed(BTreeSet<String>);

impl Allowed {
    /// The attributes that a programme names: under `[history]`, or as the day of an activity.
    pub(crate) fn by(programme: &Programme) -> Allowed {
        let dates = programme.dates().map(str::to_owned);
        Allowed(programme.history_attributes.iter().cloned().chain(dates).collect())
    }

    fn of(&self, attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let own = attributes.iter().filter(|(name, _)| self.0.contains(*name));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The names of the attributes.
    pub(crate) fn names(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// The entry without what may not leave: other attributes, and what people wrote.
    pub(crate) fn entry(&self, entry: &Entry) -> serde_json::Result<Entry> {
        // Lines stand in many places, such as in deliveries that wait for their order.
        let mut body = serde_json::to_value(entry)?;
        self.lines(&mut body);
        let mut entry: Entry = serde_json::from_value(body)?;
        match &mut entry.kind {
            EntryKind::Adjust { reason, author, .. } => {
                reason.clear();
                author.clear();
            }
            EntryKind::Transfer { reason, .. } => *reason = None,
            _ => {}
        }
        Ok(entry)
    }

    /// Takes other attributes from all lines within a value.
    fn lines(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.lines(value)),
            Value::Object(parts) => {
                for (name, part) in parts {
                    match (name.as_str(), part) {
                        ("attributes", Value::Object(attributes)) => {
                            attributes.retain(|name, _| self.0.contains(name));
                        }
                        // The manifest names the fields of an activity, and one may have this name.
                        ("fields", _) => {}
                        (_, part) => self.lines(part),
                    }
                }
            }
            _ => {}
        }
    }
}

/// A cell's text.
fn text(builder: &mut StringBuilder, value: Option<&str>) {
    builder.append_option(value);
}

fn moment(at: Moment) -> i64 {
    at.timestamp_micros()
}

/// An amount as the tables have it; nothing if it is too large for them.
fn amount(value: Decimal) -> Option<i128> {
    let scale = u32::from(AMOUNT.1.unsigned_abs());
    let whole = value.round_dp(scale);
    let more = 10i128.checked_pow(scale.checked_sub(whole.scale())?)?;
    whole.mantissa().checked_mul(more)
}

fn amounts() -> Decimal128Builder {
    let kind = arrow_schema::DataType::Decimal128(AMOUNT.0, AMOUNT.1);
    Decimal128Builder::new().with_data_type(kind)
}

fn moments() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

type Texts = ListBuilder<StringBuilder>;

fn texts<'t>(builder: &mut Texts, values: impl IntoIterator<Item = &'t str>) {
    values.into_iter().for_each(|value| builder.values().append_value(value));
    builder.append(true);
}

/// A day, as the tables have it: as a date and as a number.
#[derive(Default)]
struct Days {
    date: Date32Builder,
    number: Int32Builder,
}

/// The days since 1970 of a moment's day in a time zone.
fn day(at: Moment, zone: Tz) -> i32 {
    let day = at.with_timezone(&zone).date_naive();
    day.num_days_from_ce().saturating_sub(NaiveDate::default().num_days_from_ce())
}

impl Days {
    fn append(&mut self, day: i32) {
        self.date.append_value(day);
        self.number.append_value(day);
    }

    fn columns(&mut self) -> [ArrayRef; 2] {
        [Arc::new(self.date.finish()), Arc::new(self.number.finish())]
    }
}

/// An entry, with what its rows say of it.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) member: &'a str,
    pub(crate) recorded: &'a Recorded,
    /// The member's tier after it.
    pub(crate) tier: Option<&'a str>,
    /// What it adds to what the member bought.
    pub(crate) sale: Sale,
    /// The programme of the rules that decided it.
    pub(crate) programme: Option<&'a Programme>,
}

/// Rows that have not been written yet.
pub(crate) struct Rows {
    zone: Tz,
    pub(crate) members: MemberRows,
    pub(crate) entries: EntryRows,
    pub(crate) effects: EffectRows,
    pub(crate) movements: MovementRows,
    pub(crate) lots: LotRows,
}

impl Rows {
    /// No rows yet. Days are those of the time zone.
    pub(crate) fn new(zone: Tz) -> Rows {
        Rows {
            zone,
            members: MemberRows::default(),
            entries: EntryRows::default(),
            effects: EffectRows::default(),
            movements: MovementRows::default(),
            lots: LotRows::default(),
        }
    }

    /// Adds a member as it enrolled.
    pub(crate) fn enroll(
        &mut self,
        enrolled: &Member,
        allowed: &Allowed,
    ) -> serde_json::Result<()> {
        self.members.add(enrolled, day(enrolled.enrolled_at, self.zone), allowed)
    }

    /// Adds an entry.
    pub(crate) fn entry(&mut self, line: Line<'_>) -> serde_json::Result<()> {
        let entry = &line.recorded.entry;
        self.entries.add(line, day(entry.happened_at(), self.zone))?;
        let decided = day(entry.at, self.zone);
        let own = entry.reasons.iter().map(|reason| (entry.seq, reason));
        let again = entry.again.iter().flat_map(|again| &again.differences);
        let again = again.flat_map(|one| one.reasons.iter().map(|reason| (one.entry, reason)));
        for (of, reason) in own.chain(again) {
            self.effects.add(line, decided, number(of.get()), reason);
        }
        for posting in &entry.postings {
            self.movements.add(line, decided, posting);
            // What moved in the wallets of an account is in the account's own entry.
            for (terms, units) in [
                (posting.from_lot(), -posting.units.get()),
                (posting.to_lot(), posting.units.get()),
            ] {
                if let Some(terms) = terms.filter(|_| !posting.shared) {
                    let wallet = &posting.wallet;
                    self.lots.add(line, decided, &LotChange { wallet, units, terms }, self.zone);
                }
            }
        }
        Ok(())
    }

    /// The rows of a table as a batch, which is taken out.
    pub(crate) fn batch(&mut self, table: Table) -> Result<RecordBatch, ArrowError> {
        let columns = match table {
            Table::Members => self.members.columns(),
            Table::Entries => self.entries.columns(),
            Table::Effects => self.effects.columns(),
            Table::Movements => self.movements.columns(),
            Table::Lots => self.lots.columns(),
        };
        RecordBatch::try_new(table.schema(), columns)
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) struct MemberRows {
    member: StringBuilder,
    enrolled_at: TimestampMicrosecondBuilder,
    days: Days,
    referred_by: StringBuilder,
    tags: Texts,
    attributes: StringBuilder,
}

impl Default for MemberRows {
    fn default() -> MemberRows {
        MemberRows {
            member: StringBuilder::new(),
            enrolled_at: moments(),
            days: Days::default(),
            referred_by: StringBuilder::new(),
            tags: Texts::new(StringBuilder::new()),
            attributes: StringBuilder::new(),
        }
    }
}

impl MemberRows {
    fn add(&mut self, enrolled: &Member, day: i32, allowed: &Allowed) -> serde_json::Result<()> {
        let attributes = serde_json::to_string(&allowed.of(&enrolled.attributes))?;
        self.member.append_value(enrolled.id.as_str());
        self.enrolled_at.append_value(moment(enrolled.enrolled_at));
        self.days.append(day);
        text(&mut self.referred_by, enrolled.referred_by.as_ref().map(ledger::MemberId::as_str));
        texts(&mut self.tags, enrolled.tags.iter().map(String::as_str));
        self.attributes.append_value(attributes);
        Ok(())
    }

    fn columns(&mut self) -> Vec<ArrayRef> {
        let [day, day_number] = self.days.columns();
        vec![
            Arc::new(self.member.finish()),
            Arc::new(self.enrolled_at.finish()),
            day,
            day_number,
            Arc::new(self.referred_by.finish()),
            Arc::new(self.tags.finish()),
            Arc::new(self.attributes.finish()),
        ]
    }
}

pub(crate) struct EntryRows {
    member: StringBuilder,
    entry: Int64Builder,
    at: TimestampMicrosecondBuilder,
    happened_at: TimestampMicrosecondBuilder,
    days: Days,
    verb: StringBuilder,
    origin: StringBuilder,
    rules: StringBuilder,
    activity: StringBuilder,
    id: StringBuilder,
    of: StringBuilder,
    undoes: Int64Builder,
    total: Decimal128Builder,
    refund: Decimal128Builder,
    orders: Int64Builder,
    revenue: Decimal128Builder,
    store: StringBuilder,
    channel: StringBuilder,
    payment: StringBuilder,
    reward: StringBuilder,
    tier: StringBuilder,
    others: Texts,
    body: StringBuilder,
}

impl Default for EntryRows {
    fn default() -> EntryRows {
        EntryRows {
            member: StringBuilder::new(),
            entry: Int64Builder::new(),
            at: moments(),
            happened_at: moments(),
            days: Days::default(),
            verb: StringBuilder::new(),
            origin: StringBuilder::new(),
            rules: StringBuilder::new(),
            activity: StringBuilder::new(),
            id: StringBuilder::new(),
            of: StringBuilder::new(),
            undoes: Int64Builder::new(),
            total: amounts(),
            refund: amounts(),
            orders: Int64Builder::new(),
            revenue: amounts(),
            store: StringBuilder::new(),
            channel: StringBuilder::new(),
            payment: StringBuilder::new(),
            reward: StringBuilder::new(),
            tier: StringBuilder::new(),
            others: Texts::new(StringBuilder::new()),
            body: StringBuilder::new(),
        }
    }
}

/// What the origin of an entry is called in the table.
pub(crate) fn origin(recorded: &Recorded) -> &'static str {
    match recorded.origin() {
        Origin::Told => "told",
        Origin::Run => "run",
        Origin::Follows => "follows",
    }
}

impl EntryRows {
    fn add(&mut self, line: Line<'_>, day: i32) -> serde_json::Result<()> {
        let Line { member, recorded, tier, sale, .. } = line;
        let entry = &recorded.entry;
        let body = serde_json::to_string(entry)?;
        let activity = match &entry.kind {
            EntryKind::Earn { activity } => Some(activity),
            _ => None,
        };
        let order = order(entry);
        let reward = match &entry.kind {
            EntryKind::Redeem { reward, .. }
            | EntryKind::Hold { reward, .. }
            | EntryKind::Capture { reward, .. } => Some(reward.name.as_str()),
            _ => None,
        };
        let refund = match &entry.kind {
            EntryKind::Reverse { returned, .. } => returned.as_ref().map(|one| one.refund),
            _ => None,
        };
        self.member.append_value(member);
        self.entry.append_value(number(entry.seq.get()));
        self.at.append_value(moment(entry.at));
        self.happened_at.append_value(moment(entry.happened_at()));
        self.days.append(day);
        self.verb.append_value(entry.kind.verb().to_string());
        self.origin.append_value(origin(recorded));
        self.rules.append_value(&recorded.rules);
        text(&mut self.activity, activity.map(|activity| activity.kind.as_str()));
        text(&mut self.id, activity.map(|activity| activity.id.as_str()));
        text(&mut self.of, activity.and_then(|activity| activity.of.as_deref()));
        self.undoes.append_option(entry.undoes().next().map(|of| number(of.get())));
        self.total.append_option(order.and_then(|order| amount(order.total)));
        self.refund.append_option(refund.and_then(amount));
        self.orders.append_value(sale.orders);
        self.revenue.append_option(amount(sale.revenue));
        text(&mut self.store, order.and_then(|order| order.store.as_deref()));
        text(&mut self.channel, activity.and_then(|activity| activity.channel.as_deref()));
        text(&mut self.payment, activity.and_then(|activity| activity.payment.as_deref()));
        text(&mut self.reward, reward);
        text(&mut self.tier, tier);
        texts(&mut self.others, recorded.others().into_iter().map(MemberId::as_str));
        self.body.append_value(body);
        Ok(())
    }

    fn columns(&mut self) -> Vec<ArrayRef> {
        let [day, day_number] = self.days.columns();
        vec![
            Arc::new(self.member.finish()),
            Arc::new(self.entry.finish()),
            Arc::new(self.at.finish()),
            Arc::new(self.happened_at.finish()),
            day,
            day_number,
            Arc::new(self.verb.finish()),
            Arc::new(self.origin.finish()),
            Arc::new(self.rules.finish()),
            Arc::new(self.activity.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.of.finish()),
            Arc::new(self.undoes.finish()),
            Arc::new(self.total.finish()),
            Arc::new(self.refund.finish()),
            Arc::new(self.orders.finish()),
            Arc::new(self.revenue.finish()),
            Arc::new(self.store.finish()),
            Arc::new(self.channel.finish()),
            Arc::new(self.payment.finish()),
            Arc::new(self.reward.finish()),
            Arc::new(self.tier.finish()),
            Arc::new(self.others.finish()),
            Arc::new(self.body.finish()),
        ]
    }
}

fn order(entry: &Entry) -> Option<&Order> {
    match &entry.kind {
        EntryKind::Earn { activity } => activity.order.as_ref(),
        EntryKind::Redeem { order, .. } | EntryKind::Hold { order, .. } => order.as_ref(),
        _ => None,
    }
}

pub(crate) struct EffectRows {
    member: StringBuilder,
    entry: Int64Builder,
    at: TimestampMicrosecondBuilder,
    days: Days,
    of: Int64Builder,
    rule: StringBuilder,
    effect: StringBuilder,
    name: StringBuilder,
    wallet: StringBuilder,
    units: Int64Builder,
    worth: Decimal128Builder,
    tier: StringBuilder,
    rules: StringBuilder,
}

impl Default for EffectRows {
    fn default() -> EffectRows {
        EffectRows {
            member: StringBuilder::new(),
            entry: Int64Builder::new(),
            at: moments(),
            days: Days::default(),
            of: Int64Builder::new(),
            rule: StringBuilder::new(),
            effect: StringBuilder::new(),
            name: StringBuilder::new(),
            wallet: StringBuilder::new(),
            units: Int64Builder::new(),
            worth: amounts(),
            tier: StringBuilder::new(),
            rules: StringBuilder::new(),
        }
    }
}

impl EffectRows {
    /// What a rule gave with an entry, for the activity of the entry `of`.
    fn add(&mut self, line: Line<'_>, day: i32, of: i64, reason: &Reason) {
        let entry = &line.recorded.entry;
        // What is taken back is below zero.
        let (kind, name, wallet, units) = match &reason.effect {
            Effect::Units { wallet, units } => ("units", None, Some(wallet), Some(units.get())),
            Effect::Reclaim { wallet, units } => {
                ("reclaim", None, Some(wallet), Some(-units.get()))
            }
            Effect::Grant { grant, .. } => ("grant", Some(grant.as_str()), None, None),
            Effect::Revoke { grant } => ("revoke", Some(grant.as_str()), None, None),
            Effect::Tag { tag } => ("tag", Some(tag.as_str()), None, None),
            Effect::Untag { tag } => ("untag", Some(tag.as_str()), None, None),
            Effect::Voucher { pool, .. } => ("voucher", Some(pool.as_str()), None, None),
            Effect::Void { pool, .. } => ("void", Some(pool.as_str()), None, None),
            Effect::Referral { referrer, .. } => ("referral", Some(referrer.as_str()), None, None),
            Effect::Score { contest, units } => {
                ("score", Some(contest.as_str()), None, Some(units.get()))
            }
            Effect::Unscore { contest, units } => {
                ("unscore", Some(contest.as_str()), None, Some(-units.get()))
            }
        };
        let worth =
            wallet.zip(line.programme).zip(units).and_then(|((wallet, programme), units)| {
                let worth = programme.wallets.get(wallet)?.worth?;
                amount(worth.checked_mul(units.into())?)
            });
        self.member.append_value(line.member);
        self.entry.append_value(number(entry.seq.get()));
        self.at.append_value(moment(entry.at));
        self.days.append(day);
        self.of.append_value(of);
        self.rule.append_value(&reason.rule);
        self.effect.append_value(kind);
        text(&mut self.name, name);
        text(&mut self.wallet, wallet.map(WalletName::as_str));
        self.units.append_option(units);
        self.worth.append_option(worth);
        text(&mut self.tier, line.tier);
        self.rules.append_value(&line.recorded.rules);
    }

    fn columns(&mut self) -> Vec<ArrayRef> {
        let [day, day_number] = self.days.columns();
        vec![
            Arc::new(self.member.finish()),
            Arc::new(self.entry.finish()),
            Arc::new(self.at.finish()),
            day,
            day_number,
            Arc::new(self.of.finish()),
            Arc::new(self.rule.finish()),
            Arc::new(self.effect.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.wallet.finish()),
            Arc::new(self.units.finish()),
            Arc::new(self.worth.finish()),
            Arc::new(self.tier.finish()),
            Arc::new(self.rules.finish()),
        ]
    }
}

pub(crate) struct MovementRows {
    member: StringBuilder,
    entry: Int64Builder,
    at: TimestampMicrosecondBuilder,
    days: Days,
    wallet: StringBuilder,
    why: StringBuilder,
    units: Int64Builder,
    debt: Int64Builder,
    shared: BooleanBuilder,
    available_at: TimestampMicrosecondBuilder,
    expires_at: TimestampMicrosecondBuilder,
    worth: Decimal128Builder,
}

impl Default for MovementRows {
    fn default() -> MovementRows {
        MovementRows {
            member: StringBuilder::new(),
            entry: Int64Builder::new(),
            at: moments(),
            days: Days::default(),
            wallet: StringBuilder::new(),
            why: StringBuilder::new(),
            units: Int64Builder::new(),
            debt: Int64Builder::new(),
            shared: BooleanBuilder::new(),
            available_at: moments(),
            expires_at: moments(),
            worth: amounts(),
        }
    }
}

impl MovementRows {
    fn add(&mut self, line: Line<'_>, day: i32, posting: &Posting) {
        let entry = &line.recorded.entry;
        // The terms that say most: those of the lot that units come into, or else leave.
        let terms = posting.came_with().or_else(|| posting.from_lot());
        self.member.append_value(line.member);
        self.entry.append_value(number(entry.seq.get()));
        self.at.append_value(moment(entry.at));
        self.days.append(day);
        self.wallet.append_value(posting.wallet.as_str());
        self.why.append_value(why(posting.why));
        self.units.append_value(posting.change());
        self.debt.append_value(posting.change_of_debt());
        self.shared.append_value(posting.shared);
        self.available_at.append_option(terms.and_then(|terms| terms.available_at).map(moment));
        self.expires_at.append_option(terms.and_then(|terms| terms.expires_at).map(moment));
        self.worth.append_option(terms.and_then(|terms| terms.worth).and_then(amount));
    }

    fn columns(&mut self) -> Vec<ArrayRef> {
        let [day, day_number] = self.days.columns();
        vec![
            Arc::new(self.member.finish()),
            Arc::new(self.entry.finish()),
            Arc::new(self.at.finish()),
            day,
            day_number,
            Arc::new(self.wallet.finish()),
            Arc::new(self.why.finish()),
            Arc::new(self.units.finish()),
            Arc::new(self.debt.finish()),
            Arc::new(self.shared.finish()),
            Arc::new(self.available_at.finish()),
            Arc::new(self.expires_at.finish()),
            Arc::new(self.worth.finish()),
        ]
    }
}

/// A change of a lot: units that come into it, or leave it.
struct LotChange<'a> {
    wallet: &'a WalletName,
    units: i64,
    terms: &'a Terms,
}

pub(crate) struct LotRows {
    member: StringBuilder,
    entry: Int64Builder,
    at: TimestampMicrosecondBuilder,
    days: Days,
    wallet: StringBuilder,
    units: Int64Builder,
    available_at: TimestampMicrosecondBuilder,
    expires_at: TimestampMicrosecondBuilder,
    expires_day: Date32Builder,
    worth: Decimal128Builder,
}

impl Default for LotRows {
    fn default() -> LotRows {
        LotRows {
            member: StringBuilder::new(),
            entry: Int64Builder::new(),
            at: moments(),
            days: Days::default(),
            wallet: StringBuilder::new(),
            units: Int64Builder::new(),
            available_at: moments(),
            expires_at: moments(),
            expires_day: Date32Builder::new(),
            worth: amounts(),
        }
    }
}

impl LotRows {
    fn add(&mut self, line: Line<'_>, decided: i32, change: &LotChange<'_>, zone: Tz) {
        let (entry, terms) = (&line.recorded.entry, change.terms);
        // An end is the first moment at which the units are gone: they last until the day before
        // midnight.
        let last = |end: Moment| day(end - TimeDelta::microseconds(1), zone);
        self.member.append_value(line.member);
        self.entry.append_value(number(entry.seq.get()));
        self.at.append_value(moment(entry.at));
        self.days.append(decided);
        self.wallet.append_value(change.wallet.as_str());
        self.units.append_value(change.units);
        self.available_at.append_option(terms.available_at.map(moment));
        self.expires_at.append_option(terms.expires_at.map(moment));
        self.expires_day.append_option(terms.expires_at.map(last));
        self.worth.append_option(terms.worth.and_then(amount));
    }

    fn columns(&mut self) -> Vec<ArrayRef> {
        let [day, day_number] = self.days.columns();
        vec![
            Arc::new(self.member.finish()),
            Arc::new(self.entry.finish()),
            Arc::new(self.at.finish()),
            day,
            day_number,
            Arc::new(self.wallet.finish()),
            Arc::new(self.units.finish()),
            Arc::new(self.available_at.finish()),
            Arc::new(self.expires_at.finish()),
            Arc::new(self.expires_day.finish()),
            Arc::new(self.worth.finish()),
        ]
    }
}

fn why(why: PostingReason) -> &'static str {
    match why {
        PostingReason::Issued => "issued",
        PostingReason::Spent => "spent",
        PostingReason::Expired => "expired",
        PostingReason::DebtPaid => "debt_paid",
        PostingReason::Held => "held",
        PostingReason::Released => "released",
        PostingReason::Delivered => "delivered",
        PostingReason::Extended => "extended",
        PostingReason::Reclaimed => "reclaimed",
        PostingReason::Restored => "restored",
        PostingReason::Adjusted => "adjusted",
        PostingReason::Transferred => "transferred",
        PostingReason::DerivedAgain => "derived_again",
    }
}
