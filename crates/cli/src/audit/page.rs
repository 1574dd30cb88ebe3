//! What an audit found, as a page and as JSON.

use audit::{Audited, Owed, RollForward};
use ledger::{Programme, WalletName};
use rust_decimal::Decimal;
use serde_json::json;

use crate::show::{money, table, whole};

/// The most faults that are printed.
const FAULTS_SHOWN: usize = 20;

/// What is owed, as tables and sentences, with the first faults.
pub(crate) fn page(programme: &Programme, audited: &Audited) -> String {
    let code = programme.currency.code();
    let decimals = ledger::money::decimals(programme.currency);
    let mut page = format!(
        "{}: {} members and {} entries audited{}.\n",
        programme.name,
        whole(audited.members),
        whole(audited.entries),
        match audited.erased {
            0 => String::new(),
            erased => format!(", {} of the members forgotten", whole(erased)),
        },
    );
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
    let mut units = table(heads);
    let mut sums = table(heads);
    let mut any = false;
    for (name, wallet) in &audited.wallets {
        let cells = figures(&wallet.units).map(whole);
        units.add_row([name.to_string()].into_iter().chain(cells));
        if has_worth(programme, name, wallet) {
            any = true;
            let cells = figures(&wallet.money).map(|sum| money(sum, code, decimals));
            sums.add_row([name.to_string()].into_iter().chain(cells));
        }
    }
    page += &format!("\n{units}\n");
    if any {
        page += "\nWhat that is worth, each unit by the rules that it was given under:\n";
        page += &format!("\n{sums}\n");
    }
    page += &remarks(programme, audited);
    let reconciled = audited.wallets.values().all(Owed::is_reconciled);
    let wrong = audited.wrong().count();
    if wrong == 0 && reconciled {
        page += "\nEvery balance is the sum of its entries, every entry follows from the one before it,\n";
        page += "and opening and movements come to the closing to the last unit.\n";
        return page;
    }
    page += &format!("\n{} faults:\n", whole(wrong as u64));
    for fault in audited.wrong().take(FAULTS_SHOWN) {
        page += &format!("  {fault}\n");
    }
    page
}

/// What the tables do not say: units without a worth, and what members owe.
fn remarks(programme: &Programme, audited: &Audited) -> String {
    let code = programme.currency.code();
    let decimals = ledger::money::decimals(programme.currency);
    let mut remarks = String::new();
    for (name, wallet) in &audited.wallets {
        if wallet.without_worth != 0 && has_worth(programme, name, wallet) {
            remarks += &format!(
                "\n{} {name} were given before the wallet had a worth, and count as nothing.\n",
                whole(wallet.without_worth),
            );
        }
    }
    for (name, wallet) in audited.wallets.iter().filter(|(_, wallet)| wallet.units.debts > 0) {
        let in_money = match has_worth(programme, name, wallet) {
            true => format!(" ({})", money(wallet.money.owed(), code, decimals)),
            false => String::new(),
        };
        remarks += &format!(
            "\nSome members owe {} {name} themselves, units that were returned after they had been\n\
             spent. To the others {} {name}{} are owed.\n",
            whole(wallet.units.debts),
            whole(wallet.units.owed()),
            in_money,
        );
    }
    remarks
}

/// The columns of the report: opening, issued, redeemed, expired, reversed, adjusted, closing.
fn figures<N: Copy>(of: &RollForward<N>) -> [N; 7] {
    let RollForward { opening, issued, redeemed, expired, reversed, adjusted, closing, .. } = *of;
    [opening, issued, redeemed, expired, reversed, adjusted, closing]
}

/// Whether what is owed in the wallet is told in money: units have a worth today, or had one when
/// they were given.
fn has_worth(programme: &Programme, name: &WalletName, owed: &Owed) -> bool {
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
