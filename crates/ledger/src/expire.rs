use crate::{Decision, Member, Moment, Posting, What};

/// Writes down the lots that have run out, or answers with nothing where none has: then there is
/// nothing to write, and a second run over the same member changes nothing.
#[must_use]
pub fn decide(member: &Member, now: Moment) -> Option<Decision> {
    let mut member = member.matured(now);
    let mut postings = Vec::new();
    for (name, wallet) in &mut member.wallets {
        let lapsed = wallet.take_lapsed(now);
        postings.extend(lapsed.into_iter().map(|lot| Posting::taken(name.clone(), lot)));
    }
    (!postings.is_empty()).then(|| Decision::of(member, now, What::Expire, postings))
}
