use std::path::PathBuf;

use clap::Args;
use ledger::reverse::Wanted;
use ledger::{Change, Decision, Entry, Lack, Member, MemberId, What};
use local::Database;
use rules::{Bundle, Redemption, Refused, Told, TraceLine};
use store::{MemberKey, Store, Version};

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
    let store = database.store();
    let (before, record) = version(store, &at, options.entry).await?;
    let bundle = api::bundle_of(store, &at.merchant, &record.bundle).await?;
    let again = again(store, &at, &bundle, &before, &record.entry).await?;
    say!(
        "Entry {} of {at}, {}, under rules {}:\n",
        options.entry,
        shop_time(record.entry.at, bundle.programme().time_zone),
        record.bundle
    );
    let Some((lines, again)) = again else {
        for posting in &record.entry.postings {
            say!("{:+} {}", posting.change, posting.wallet);
        }
        say!("\nAn entry of kind {}: no rule had a say in it.", record.entry.what.kind());
        return Ok(());
    };
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

/// What the rules of then say of what was asked then; nothing where no rule had a say.
async fn again(
    store: &Store,
    at: &MemberKey,
    bundle: &Bundle,
    before: &Member,
    entry: &Entry,
) -> Outcome<Option<(Vec<TraceLine>, Decision)>> {
    let now = entry.at;
    let mut supplies = bundle.told_then(before, entry);
    let mut view = before.clone();
    if let Some(of) = &entry.account {
        let key = MemberKey { merchant: at.merchant.clone(), member: of.account.clone() };
        let past = store.past(&key, of.entry).await?;
        view = ledger::account::view(before, &past.before, bundle.programme(), now);
        supplies.members.insert(of.account.clone(), Some(past.before));
    }
    let plain = |decision: Decision| Ok(Some((Vec::new(), decision)));
    match &entry.what {
        What::Earn { activity } => {
            let lines = bundle.trace(&view, activity, &supplies, now)?;
            // What it brought the one who brought the member is that one's entry.
            let raised = entry.changes.iter().find_map(|change| match change {
                Change::Raised { day, .. } => Some(*day),
                _ => None,
            });
            let told = Told { activity: activity.clone(), raised };
            let (decision, _) = bundle.earn_alone(before, told, &supplies, now)?;
            Ok(Some((lines, decision)))
        }
        What::Redeem { reward, order } | What::Hold { reward, order, .. } => {
            let mut rewards = bundle.rewards();
            let chosen = rewards.any(|(name, costs)| name == reward.name && costs.is_chosen());
            let units = chosen.then_some(reward.costs);
            let redemption =
                Redemption { reward: reward.name.clone(), units, order: order.clone() };
            let lines = bundle.trace_reward(&view, &redemption, now)?;
            let decision = match &entry.what {
                What::Hold { .. } => bundle.hold(before, redemption, &supplies, now)?,
                _ => bundle.redeem(before, redemption, &supplies, now)?,
            };
            Ok(Some((lines, decision)))
        }
        What::Capture { of, reward, .. } => {
            let (_, held) = version(store, at, of.entry).await?;
            let by = api::bundle_of(store, &at.merchant, &held.bundle).await?;
            let units = Some(reward.costs);
            plain(bundle.capture(&by, before, &held.entry, units, &supplies, now)?)
        }
        What::Release { hold } => plain(bundle.release(before, hold, &supplies, now)?),
        What::Reverse { of, returned } => {
            let (_, undone) = version(store, at, *of).await?;
            let by = api::bundle_of(store, &at.merchant, &undone.bundle).await?;
            let wanted = returned
                .clone()
                .map(|returned| Wanted { lines: returned.lines, refund: Some(returned.refund) });
            loop {
                let wanted = wanted.as_ref();
                // What a referral brought another is that one's entry.
                let decided = bundle.reverse_alone(&by, before, *of, wanted, &supplies, now);
                let (member, from) = match decided {
                    Ok((decision, _)) => return plain(decision),
                    Err(Refused::Lacks(Lack::Past { member, entry })) => (member, entry),
                    Err(refused) => return Err(refused.into()),
                };
                // The past as it was when this was decided.
                let last = supplies.members.get(&member).and_then(Option::as_ref);
                let last = last.unwrap_or(before).version;
                let key = MemberKey { merchant: at.merchant.clone(), member: member.clone() };
                let mut past = store.past(&key, from).await?;
                past.entries.retain(|later| later.seq <= last);
                supplies.pasts.insert(member, past);
            }
        }
        What::Expire | What::Remind { .. } => {
            supplies.due_at = Some(now);
            let nothing = "nothing was due at that moment";
            plain(bundle.next_due(before, &supplies, now)?.ok_or(nothing)?)
        }
        What::Adjust { .. }
        | What::Transfer { .. }
        | What::Join { .. }
        | What::Leave { .. }
        | What::Share { .. }
        | What::Erase => Ok(None),
    }
}

async fn version(store: &Store, at: &MemberKey, entry: u64) -> Outcome<(Member, Version)> {
    let found = store.version(at, entry).await?;
    let found = found.ok_or_else(|| format!("member {at} has no entry {entry}"))?;
    Ok((store.before(at, entry).await?, found))
}

/// Each part in which two entries differ.
fn differences(stored: &Entry, again: &Entry) -> Vec<String> {
    type Part = fn(&Entry) -> String;
    let parts: [(&str, Part); 10] = [
        ("because", |entry| format!("{:?}", entry.because)),
        ("postings", |entry| format!("{:?}", entry.postings)),
        ("changes", |entry| format!("{:?}", entry.changes)),
        ("draws", |entry| format!("{:?}", entry.draws)),
        ("returns", |entry| format!("{:?}", entry.returns)),
        ("account", |entry| format!("{:?}", entry.account)),
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
