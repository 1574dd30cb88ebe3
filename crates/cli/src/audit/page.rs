//! What an audit found, as a page and as JSON.

use audit::{Audited, Owed, RollForward};
use ledger::{Programme, WalletName};
use rust_decimal::Decimal;
use serde_json::json;

use crate::page::{Page, Sheet};
use crate::show::{money, whole};

/// The most faults that are printed.
const FAULTS_SHOWN: usize = 20;

/// What is owed, as tables and sentences, with the first faults.
pub(crate) fn page(programme: &Programme, audited: &Audited) -> Page {
    let mut page = Page::default();
    page.line(format!(
        "{}: {} members and {} entries audited{}.",
        programme.name,
        whole(audited.members),
        whole(audited.entries),
        match audited.erased {
            0 => String::new(),
            erased => format!(", {} of the members forgotten", whole(erased)),
        },
    ));
    roll_forward(programme, audited, &mut page);
    let reconciled = audited.wallets.values().all(Owed::is_reconciled);
    let wrong = audited.wrong().count();
    if wrong == 0 && reconciled {
        page.paragraph(
            "Every balance is the sum of its entries, every entry follows from the one before it,",
        );
        page.line("and opening and movements come to the closing to the last unit.");
        return page;
    }
    page.paragraph(format!("{} faults:", whole(wrong as u64)));
    for fault in audited.wrong().take(FAULTS_SHOWN) {
        page.line(format!("  {fault}"));
    }
    page
}

/// What is owed, in units and in money, with what the tables do not say.
pub(crate) fn roll_forward(programme: &Programme, audited: &Audited, page: &mut Page) {
    let code = programme.currency.code();
    let decimals = ledger::money::decimals(programme.currency);
    let heads = [
        "wallet",
        "#opening",
        "#issued",
        "#redeemed",
        "#expired",
        "#reversed",
        "#adjusted",
        "#closing",
    ];
    let mut units = Sheet::new("", heads);
    let mut sums =
        Sheet::new("What that is worth, each unit by the rules that it was given under", heads);
    let mut any = false;
    for (name, wallet) in &audited.wallets {
        let cells = figures(&wallet.units).map(whole);
        units.row([name.to_string()].into_iter().chain(cells));
        if has_worth(programme, name, wallet) {
            any = true;
            let cells = figures(&wallet.money).map(|sum| money(sum, code, decimals));
            sums.row([name.to_string()].into_iter().chain(cells));
        }
    }
    page.sheet(units);
    if any {
        page.sheet(sums);
    }
    remarks(programme, audited, page);
}

/// What the tables do not say: units without a worth, and what members owe.
fn remarks(programme: &Programme, audited: &Audited, page: &mut Page) {
    let code = programme.currency.code();
    let decimals = ledger::money::decimals(programme.currency);
    for (name, wallet) in &audited.wallets {
        if wallet.without_worth != 0 && has_worth(programme, name, wallet) {
            page.paragraph(format!(
                "{} {name} were given before the wallet had a worth, and count as nothing.",
                whole(wallet.without_worth),
            ));
        }
    }
    for (name, wallet) in audited.wallets.iter().filter(|(_, wallet)| wallet.units.debts > 0) {
        let in_money = match has_worth(programme, name, wallet) {
            true => format!(" ({})", money(wallet.money.owed(), code, decimals)),
            false => String::new(),
        };
        page.paragraph(format!(
            "Some members owe {} {name} themselves, units that were returned after they had been",
            whole(wallet.units.debts),
        ));
        page.line(format!(
            "spent. To the others {} {name}{in_money} are owed.",
            whole(wallet.units.owed()),
        ));
    }
}

/// The columns of the report: opening, issued, redeemed, expired, reversed, adjusted, closing.
fn figures<N: Copy>(of: &RollForward<N>) -> [N; 7] {
    let RollForward { opening, issued, redeemed, expired, reversed, adjusted, closing, .. } = *of;
    [opening, issued, redeemed, expired, reversed, adjusted, closing]
}

/// Whether what is owed in the wallet is told in money: units have a worth today, or had one when
/// they were given.
pub(crate) fn has_worth(programme: &Programme, name: &WalletName, owed: &Owed) -> bool {
    let today = programme.wallets.get(name).and_then(|policy| policy.worth);
    today.is_some() || owed.money != RollForward::default()
}

/// The same for machines.
pub(crate) fn as_json(programme: &Programme, audited: &Audited) -> serde_json::Value {
    let wallets: serde_json::Map<String, serde_json::Value> = audited
        .wallets
        .iter()
        .map(|(name, wallet)| {
            let units = &wallet.units;
            let has_worth = has_worth(programme, name, wallet);
            let sum = |sum: Decimal| has_worth.then(|| sum.normalize().to_string());
            let [opening, issued, redeemed, expired, reversed, adjusted, closing] =
                figures(&wallet.money).map(sum);
            let money = json!({
                "opening": opening,
                "issued": issued,
                "redeemed": redeemed,
                "expired": expired,
                "reversed": reversed,
                "adjusted": adjusted,
                "closing": closing,
            });
            let wallet = json!({
                "opening": units.opening,
                "issued": units.issued,
                "redeemed": units.redeemed,
                "expired": units.expired,
                "reversed": units.reversed,
                "adjusted": units.adjusted,
                "closing": units.closing,
                "reconciles": wallet.is_reconciled(),
                "owed_by_members": { "opening": units.debts_before, "closing": units.debts },
                "money": has_worth.then_some(money),
                "without_worth": wallet.without_worth,
                "liability": {
                    "opening": sum(wallet.money.opening + wallet.money.debts_before),
                    "closing": sum(wallet.money.owed()),
                },
            });
            (name.to_string(), wallet)
        })
        .collect();
    let fault = |fault: &audit::Fault| {
        json!({
            "member": fault.member.member,
            "entry": fault.entry,
            "what": fault.what,
        })
    };
    json!({
        "members": audited.members,
        "erased": audited.erased,
        "entries": audited.entries,
        "currency": programme.currency.code(),
        "wallets": wallets,
        "faults": audited.faults.iter().map(fault).collect::<Vec<_>>(),
        "unreadable": audited.unreadable,
    })
}
