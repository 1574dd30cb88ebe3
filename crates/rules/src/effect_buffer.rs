//! The buffer of the effects that a rule requests besides its value. The buffer is the engine's tag
//! while the rule runs. The rule cannot read it.

use std::sync::{Arc, Mutex, PoisonError};

use ledger::entry::Benefit;
use rhai::{Dynamic, Engine, INT, NativeCallContext};
use rust_decimal::Decimal;

use crate::evaluated::{Evaluated, fail};
use crate::facts::{Seen, Span, wallet};

/// An effect request, in the rule's own words: wallets and dates are not resolved yet.
#[derive(Debug, Clone, PartialEq)]
pub enum EffectRequest {
    /// Gives units.
    Award {
        /// How many, with a fraction of a unit.
        units: Decimal,
        /// The wallet; the rule's own if it names none.
        wallet: Option<String>,
    },
    /// Gives a grant.
    Grant {
        /// The name of the grant.
        grant: String,
        /// How long it lasts; without end if nothing.
        span: Option<Span>,
    },
    /// Takes the grant of this name back.
    Revoke(String),
    /// Adds this tag to the member.
    Tag(String),
    /// Removes this tag from the member.
    Untag(String),
    /// Gives a code from the pool of this name.
    Voucher(String),
    /// Gives the member's referrer a referral activity.
    Refer,
}

/// The most effects that one rule may request.
const EFFECTS_MAX: usize = 20;
/// The most characters of the name of a grant or a tag, since the name is stored with the member.
const NAME_LENGTH_MAX: usize = 64;

/// The effects that the current rule requests, and the member whose wallets `wallet(..)` reads.
#[derive(Clone)]
pub(crate) struct EffectBuffer {
    seen: Arc<Seen>,
    effects: Arc<Mutex<Vec<EffectRequest>>>,
}

impl EffectBuffer {
    pub(crate) fn new(seen: Arc<Seen>) -> EffectBuffer {
        EffectBuffer { seen, effects: Arc::default() }
    }

    /// Removes and returns all effects.
    pub(crate) fn drain(&self) -> Vec<EffectRequest> {
        std::mem::take(&mut self.effects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, effect: EffectRequest) -> Evaluated<()> {
        let mut effects = self.effects.lock().unwrap_or_else(PoisonError::into_inner);
        if effects.len() >= EFFECTS_MAX {
            return fail(format!("a rule gives at most {EFFECTS_MAX} things at a time"));
        }
        effects.push(effect);
        Ok(())
    }

    fn of(context: &NativeCallContext<'_>) -> Evaluated<EffectBuffer> {
        let buffer = context.tag().and_then(|tag| tag.clone().try_cast::<EffectBuffer>());
        buffer.map_or_else(|| fail("there is nobody here to give anything to".to_owned()), Ok)
    }
}

fn name(name: &str) -> Evaluated<String> {
    match name.chars().count() {
        1..=NAME_LENGTH_MAX => Ok(name.to_owned()),
        length => {
            fail(format!("a name has 1 to {NAME_LENGTH_MAX} characters, and this has {length}"))
        }
    }
}

/// Registers `wallet(..)` and the functions that request effects.
pub(crate) fn register(engine: &mut Engine) {
    type Context<'a> = NativeCallContext<'a>;
    engine.register_fn("wallet", |context: Context<'_>, name: &str| -> Evaluated<INT> {
        wallet(&EffectBuffer::of(&context)?.seen, name)
    });
    let award = |context: &Context<'_>, units: Decimal, wallet: Option<&str>| {
        EffectBuffer::of(context)?
            .push(EffectRequest::Award { units, wallet: wallet.map(str::to_owned) })
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
        .register_fn("grant", |context: Context<'_>, grant: &str| -> Evaluated<()> {
            EffectBuffer::of(&context)?
                .push(EffectRequest::Grant { grant: name(grant)?, span: None })
        })
        .register_fn("grant", |context: Context<'_>, grant: &str, span: Span| -> Evaluated<()> {
            EffectBuffer::of(&context)?
                .push(EffectRequest::Grant { grant: name(grant)?, span: Some(span) })
        })
        .register_fn("revoke", |context: Context<'_>, grant: &str| -> Evaluated<()> {
            EffectBuffer::of(&context)?.push(EffectRequest::Revoke(name(grant)?))
        })
        .register_fn("tag", |context: Context<'_>, tag: &str| -> Evaluated<()> {
            EffectBuffer::of(&context)?.push(EffectRequest::Tag(name(tag)?))
        })
        .register_fn("untag", |context: Context<'_>, tag: &str| -> Evaluated<()> {
            EffectBuffer::of(&context)?.push(EffectRequest::Untag(name(tag)?))
        })
        .register_fn("refer", |context: Context<'_>| -> Evaluated<()> {
            EffectBuffer::of(&context)?.push(EffectRequest::Refer)
        })
        .register_fn("voucher", |context: Context<'_>, pool: &str| -> Evaluated<Benefit> {
            EffectBuffer::of(&context)?.push(EffectRequest::Voucher(name(pool)?))?;
            Ok(Benefit::Voucher { pool: pool.to_owned(), code: String::new() })
        });
}

/// Registers `cents(..)`, which reads the programme's currency.
pub(crate) fn register_cents(engine: &mut Engine) {
    let cents = |context: &NativeCallContext<'_>, amount: Decimal| -> Evaluated<Decimal> {
        let currency = EffectBuffer::of(context)?.seen.background.programme.currency;
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

/// The engine's tag that carries the effect buffer.
pub(crate) fn tag(buffer: &EffectBuffer) -> Dynamic {
    Dynamic::from(buffer.clone())
}
