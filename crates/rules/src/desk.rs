//! What a rule does besides giving a value: it lays outcomes on a desk. The desk is the engine's
//! tag while the rule runs; the rule cannot see what lies there.

use std::sync::{Arc, Mutex, PoisonError};

use ledger::entry::Gives;
use rhai::{Dynamic, Engine, INT, NativeCallContext};
use rust_decimal::Decimal;

use crate::facts::{Outcome, Seen, Span, fail, wallet};

/// What a rule did, in its own words: neither wallets nor dates have been looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Award { units: Decimal, wallet: Option<String> },
    Grant { grant: String, span: Option<Span> },
    Revoke(String),
    Tag(String),
    Untag(String),
    Voucher(String),
    Refer,
}

/// Outcomes that one rule may lay down.
const ACTS_MAX: usize = 20;
/// Characters of the name of a grant or a tag: it stays with the member.
const NAME_LENGTH_MAX: usize = 64;

/// Where the rule at hand lays its outcomes, and whom `wallet(..)` asks about.
#[derive(Clone)]
pub(crate) struct Desk {
    seen: Arc<Seen>,
    acts: Arc<Mutex<Vec<Act>>>,
}

impl Desk {
    pub(crate) fn new(seen: Arc<Seen>) -> Desk {
        Desk { seen, acts: Arc::default() }
    }

    /// What lies there, which is then gone.
    pub(crate) fn clear(&self) -> Vec<Act> {
        std::mem::take(&mut self.acts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lay(&self, act: Act) -> Outcome<()> {
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        if acts.len() >= ACTS_MAX {
            return fail(format!("a rule gives at most {ACTS_MAX} things at a time"));
        }
        acts.push(act);
        Ok(())
    }

    fn of(context: &NativeCallContext<'_>) -> Outcome<Desk> {
        let desk = context.tag().and_then(|tag| tag.clone().try_cast::<Desk>());
        desk.map_or_else(|| fail("there is nobody here to give anything to".to_owned()), Ok)
    }
}

fn name(name: &str) -> Outcome<String> {
    match name.chars().count() {
        1..=NAME_LENGTH_MAX => Ok(name.to_owned()),
        length => {
            fail(format!("a name has 1 to {NAME_LENGTH_MAX} characters, and this has {length}"))
        }
    }
}

/// Teaches an engine `wallet(..)` and every outcome.
pub(crate) fn register(engine: &mut Engine) {
    type Context<'a> = NativeCallContext<'a>;
    engine.register_fn("wallet", |context: Context<'_>, name: &str| -> Outcome<INT> {
        wallet(&Desk::of(&context)?.seen, name)
    });
    let award = |context: &Context<'_>, units: Decimal, wallet: Option<&str>| {
        Desk::of(context)?.lay(Act::Award { units, wallet: wallet.map(str::to_owned) })
    };
    engine
        .register_fn("award", move |context: Context<'_>, units: INT| {
            award(&context, units.into(), None)
        })
        .register_fn("award", move |context: Context<'_>, units: Decimal| {
            award(&context, units, None)
        })
        .register_fn("award", move |context: Context<'_>, units: INT, wallet: &str| {
            award(&context, units.into(), Some(wallet))
        })
        .register_fn("award", move |context: Context<'_>, units: Decimal, wallet: &str| {
            award(&context, units, Some(wallet))
        });
    engine
        .register_fn("grant", |context: Context<'_>, grant: &str| -> Outcome<()> {
            Desk::of(&context)?.lay(Act::Grant { grant: name(grant)?, span: None })
        })
        .register_fn("grant", |context: Context<'_>, grant: &str, span: Span| -> Outcome<()> {
            Desk::of(&context)?.lay(Act::Grant { grant: name(grant)?, span: Some(span) })
        })
        .register_fn("revoke", |context: Context<'_>, grant: &str| -> Outcome<()> {
            Desk::of(&context)?.lay(Act::Revoke(name(grant)?))
        })
        .register_fn("tag", |context: Context<'_>, tag: &str| -> Outcome<()> {
            Desk::of(&context)?.lay(Act::Tag(name(tag)?))
        })
        .register_fn("untag", |context: Context<'_>, tag: &str| -> Outcome<()> {
            Desk::of(&context)?.lay(Act::Untag(name(tag)?))
        })
        .register_fn("refer", |context: Context<'_>| -> Outcome<()> {
            Desk::of(&context)?.lay(Act::Refer)
        })
        .register_fn("voucher", |context: Context<'_>, pool: &str| -> Outcome<Gives> {
            Desk::of(&context)?.lay(Act::Voucher(name(pool)?))?;
            Ok(Gives::Voucher { pool: pool.to_owned(), code: String::new() })
        });
}

/// Teaches an engine `cents(..)`, which asks for the programme's currency.
pub(crate) fn register_cents(engine: &mut Engine) {
    let cents = |context: &NativeCallContext<'_>, amount: Decimal| -> Outcome<Decimal> {
        let currency = Desk::of(context)?.seen.background.programme.currency;
        let cents = (0..ledger::money::decimals(currency))
            .try_fold(amount, |cents, _| cents.checked_mul(Decimal::TEN));
        cents.map_or_else(|| fail("the number is too large".to_owned()), Ok)
    };
    engine
        .register_fn("cents", move |context: NativeCallContext<'_>, amount: Decimal| {
            cents(&context, amount)
        })
        .register_fn("cents", move |context: NativeCallContext<'_>, amount: INT| {
            cents(&context, amount.into())
        });
}

/// The tag under which rules find their desk.
pub(crate) fn tag(desk: &Desk) -> Dynamic {
    Dynamic::from(desk.clone())
}
