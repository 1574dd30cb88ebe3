use std::path::PathBuf;

use clap::Args;
use ledger::enroll::{self, Enrolment};
use ledger::{
    Codes, Decision, Entry, Left, Member, MemberId, Outcome as Gave, Supplies, Units, What,
};
use local::Database;
use rules::{Bundle, Redemption, TraceLine};
use store::MemberKey;

use crate::Outcome;
use crate::place::{self, Rules};
use crate::show::shop_time;
use crate::simulate::told;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    /// The member
    #[arg(long)]
    member: String,
    /// The entry, by its number in the statement (`seq`)
    entry: u64,
    /// The data file [default: the one that `regulars dev` keeps]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    rules: Rules,
}

/// Derives a stored entry again, under the rules that it was decided by, and shows why it is what
/// it is.
pub(crate) async fn run(options: Options) -> Outcome {
    let data = match options.data {
        Some(data) => data,
        None => place::data(&options.rules.folder()?, "dev.db"),
    };
    if !data.is_file() {
        return Err(format!("there is no data file `{}`", data.display()).into());
    }
    let database = Database::open(Some(&data), 0).await?;
    let merchant = place::merchant_named(&options.merchant)?;
    let member = MemberId::parse(&options.member)
        .map_err(|reason| format!("`{}` is no member's id: {reason}", options.member))?;
    let at = MemberKey { merchant, member };
    let found = database.store().version(&at, options.entry).await?;
    let (before, record) =
        found.ok_or_else(|| format!("member {at} has no entry {}", options.entry))?;
    let bundle = api::bundle_of(database.store(), &at.merchant, &record.bundle).await?;
    let (lines, again) = again(&bundle, &before, &record.entry)?;
    say!(
        "Entry {} of {at}, {}, under rules {}:\n",
        options.entry,
        shop_time(record.entry.at, bundle.programme().time_zone),
        record.bundle
    );
    say!("{}", told(&bundle, &lines, &again).trim_end());
    let differences = differences(&record.entry, &again.entry);
    if differences.is_empty() {
        say!("\nDerived again from the member as it was before it: the same.");
        return Ok(());
    }
    for difference in differences {
        say!("\n{difference}");
    }
    Err("derived again, the entry differs".into())
}

/// What the rules say today of what was asked then.
fn again(bundle: &Bundle, before: &Member, entry: &Entry) -> Outcome<(Vec<TraceLine>, Decision)> {
    let supplies = supplies(bundle, before, entry);
    match &entry.what {
        What::Earn { activity } => {
            let lines = bundle.trace(before, activity, &supplies, entry.at)?;
            // What it brought the one who brought the member is that one's entry.
            let (decision, _) = bundle.earn_alone(before, activity.clone(), &supplies, entry.at)?;
            Ok((lines, decision))
        }
        What::Redeem { reward, order } => {
            let units = bundle
                .rewards()
                .any(|(name, costs)| name == reward.name && costs.is_chosen())
                .then_some(reward.costs);
            let redemption =
                Redemption { reward: reward.name.clone(), units, order: order.clone() };
            let lines = bundle.trace_reward(before, &redemption, entry.at)?;
            Ok((lines, bundle.redeem(before, redemption, &supplies, entry.at)?))
        }
        What::Expire => {
            let nothing = "nothing had run out at that moment";
            let decision = bundle.expire(before, entry.at)?.ok_or(nothing)?;
            Ok((Vec::new(), decision))
        }
    }
}

/// What the decision had been told beyond the member, as the entry remembers it.
fn supplies(bundle: &Bundle, before: &Member, entry: &Entry) -> Supplies {
    // A pool that was asked and gave no code was empty.
    let empty = |pool: &String| (pool.clone(), Codes::all(Vec::new()));
    let codes = bundle.programme().pools.iter().map(empty).collect();
    let mut supplies = Supplies { codes, ..Supplies::default() };
    for draw in &entry.draws {
        // What was drawn was there; how much more there was does not matter, unless there was not
        // enough for a later rule.
        let units = if entry.dry.contains(&draw.pot) { draw.units } else { Units::MAX };
        supplies.left.insert(draw.pot.clone(), Left::all(units));
    }
    for pot in &entry.dry {
        supplies.left.entry(pot.clone()).or_insert(Left::all(Units::ZERO));
    }
    let mut brought = false;
    for reason in &entry.because {
        match &reason.gave {
            Gave::Voucher { pool, code } => {
                supplies.codes.entry(pool.clone()).or_default().codes.push(code.clone());
            }
            Gave::Referral { .. } => brought = true,
            _ => {}
        }
    }
    if let Some(id) = &before.referred_by {
        // Only that there is such a member counts for this one's entry.
        let enrolment = Enrolment {
            id: id.clone(),
            attributes: Default::default(),
            tags: Default::default(),
            referred_by: None,
        };
        let referrer = brought.then(|| enroll::decide(enrolment, before.enrolled_at));
        supplies.referrer = Some((id.clone(), referrer));
    }
    supplies
}

/// Each part in which two entries differ.
fn differences(stored: &Entry, again: &Entry) -> Vec<String> {
    type Part = fn(&Entry) -> String;
    let parts: [(&str, Part); 8] = [
        ("because", |entry| format!("{:?}", entry.because)),
        ("postings", |entry| format!("{:?}", entry.postings)),
        ("changes", |entry| format!("{:?}", entry.changes)),
        ("draws", |entry| format!("{:?}", entry.draws)),
        ("balances", |entry| format!("{:?}", entry.balances)),
        ("tier", |entry| format!("{:?}", entry.tier)),
        ("standing", |entry| format!("{:?}", entry.standing)),
        ("what", |entry| format!("{:?}", entry.what)),
    ];
    let mut differences = Vec::new();
    for (name, part) in parts {
        let (was, is) = (part(stored), part(again));
        if was != is {
            differences.push(format!("{name}\n  written: {was}\n  derived: {is}"));
        }
    }
    differences
}
