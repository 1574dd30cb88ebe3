//! The check of words and names: that they exist, and that they may stand where they do.

use chrono::{NaiveDate, NaiveTime};
use ledger::activity::REFERRAL;
use ledger::programme::FieldKind;
use rhai::{Expr, FnCallExpr, Position};

use super::Check;
use crate::facts::unknown_wallet;
use crate::kind::{Domain, Kind};
use crate::range;
use crate::suggest::did_you_mean;
use crate::vocabulary::{Form, WEEKDAYS, WORDS, Word, words_of};

/// What is meant by a word that a fact does not have, where the nearest spelling would mislead.
fn instead(of: &Kind, name: &str) -> Option<&'static str> {
    Some(match (of, name) {
        (Kind::Order, "amount" | "sum" | "price" | "value") => {
            "what was paid in all is `order.total`"
        }
        (Kind::Order, "qty" | "count" | "items" | "size") => {
            "how much was bought is `order.pieces`, or `order.quantity(\"coffee\")` of one kind"
        }
        (Kind::Order, "id" | "number") => "the order's number is `activity.id`",
        (Kind::Order, "category" | "sku" | "contains" | "includes" | "product" | "products") => {
            "what was bought is asked as `order.has(\"coffee\")`"
        }
        (Kind::Order, "subtotal") => "what was paid for the goods is `order.goods`",
        (Kind::Order, "weight") => {
            "how much was bought of one kind is `order.quantity(\"coffee\")`"
        }
        (Kind::Member, "points" | "balance") => "a balance is asked as `wallet(\"points\")`",
        (Kind::Member, "visits" | "orders" | "first_purchase") => {
            "how often they bought before is `member.purchases`"
        }
        (Kind::Member, "joined" | "since") => "days since joining are `member.days`",
        (Kind::Member, "birthday") => {
            "whether it is today is `member.has_birthday`, and its month `member.birthday_month`"
        }
        (Kind::Member, "city" | "country" | "gender" | "language" | "name") => {
            "what your shop says of a member is asked as `member.attribute(\"city\")`"
        }
        (
            Kind::Whole | Kind::Number,
            "hour" | "hours" | "minute" | "minutes" | "second" | "seconds",
        ) => "a span is in days, weeks, months or years: `30.days`",
        _ => return None,
    })
}

impl Check<'_> {
    /// The kind of a word after a value of the kind `of`.
    pub(super) fn word(
        &mut self,
        of: &Kind,
        form: Form,
        name: &str,
        given: &[Expr],
        position: Position,
    ) -> Kind {
        let kinds: Vec<Kind> = given.iter().map(|given| self.value(given)).collect();
        if *of == Kind::Any {
            return self.word_of_anything(form, name, position);
        }
        if *of == Kind::Activity
            && form == Form::Property
            && let Some(kind) = self.field(name, position)
        {
            return kind;
        }
        let number = Kind::Whole;
        let of_numbers = if *of == Kind::Number { &number } else { of };
        let words: Vec<&'static Word> = words_of(of_numbers).collect();
        let Some(word) = words.iter().copied().find(|word| word.name == name) else {
            let fields = self.fields();
            let known = words.iter().map(|word| word.name);
            let fields = fields.iter().map(String::as_str).filter(|_| *of == Kind::Activity);
            let mut hint = instead(of, name).map_or_else(
                || did_you_mean(name, known.chain(fields)),
                |instead| format!("; {instead}"),
            );
            if let Some(word) = WORDS.iter().find(|word| word.name == name && word.of.is_some())
                && hint.is_empty()
            {
                hint = format!("; it is asked as `{}`", word.example);
            }
            if let (Kind::Activity, "", Some(on)) =
                (of, hint.as_str(), self.rule.and_then(|rule| rule.on.as_deref()))
            {
                hint = format!(
                    "; a field is declared in merchant.toml, under [activities.{on}]: `fields = {{ {name} = \"text\" }}`"
                );
            }
            let what = self.say_of(of);
            self.wrong(position, format!("{what} has no `{name}`{hint}"));
            return Kind::Any;
        };
        match (word.form, form) {
            (Form::Property, Form::Method) => {
                self.wrong(position, format!("`{name}` is written without brackets"));
            }
            (Form::Method, Form::Property) => {
                self.wrong(position, format!("`{name}` needs brackets: `{}`", word.example));
            }
            _ => self.arguments(word, given, &kinds, position),
        }
        word.gives.clone()
    }

    pub(super) fn say_of(&self, of: &Kind) -> String {
        match of {
            Kind::Member => "`member`".to_owned(),
            Kind::Order => "`order`".to_owned(),
            Kind::Activity => "`activity`".to_owned(),
            Kind::Time => "`now`".to_owned(),
            other => other.say().to_owned(),
        }
    }

    /// Checks a word after a value of unknown kind: it must be a word of some kind.
    pub(super) fn word_of_anything(&mut self, form: Form, name: &str, position: Position) -> Kind {
        let mut known = WORDS.iter().filter(|word| word.form == form);
        let fields = self.fields();
        if !known.any(|word| word.name == name) && !fields.iter().any(|field| field == name) {
            if let Some(word) = WORDS.iter().find(|word| word.name == name) {
                self.wrong(position, format!("`{name}` is written as `{}`", word.example));
                return Kind::Any;
            }
            let hint = did_you_mean(name, WORDS.iter().map(|word| word.name));
            self.wrong(position, format!("nothing has a `{name}`{hint}"));
        }
        Kind::Any
    }

    /// The names of the fields of the rule's activity; in a function, of all activities.
    pub(super) fn fields(&self) -> Vec<String> {
        let on = self.rule.map(|rule| rule.on.as_deref());
        let activities = self.known.programme.activities.iter();
        activities
            .filter(|(name, _)| on.is_none_or(|on| on == Some(name.as_str())))
            .flat_map(|(_, policy)| policy.fields.keys().cloned())
            .collect()
    }

    /// The kind of a field of the rule's activity; nothing if the rule has no activity, or if no
    /// activity has such a field. A field of another activity is a mistake.
    pub(super) fn field(&mut self, name: &str, position: Position) -> Option<Kind> {
        let on = self.rule?.on.as_deref()?;
        let activities = &self.known.programme.activities;
        let kind = activities.get(on).and_then(|policy| policy.fields.get(name));
        if let Some(kind) = kind {
            return Some(match kind {
                FieldKind::Integer => Kind::Whole,
                FieldKind::Amount => Kind::Amount,
                FieldKind::Text => Kind::Text(Domain::Free),
                FieldKind::Flag => Kind::Flag,
            });
        }
        let owner = activities.iter().find(|(_, policy)| policy.fields.contains_key(name));
        let (owner, _) = owner?;
        self.wrong(
            position,
            format!("`{name}` is a field of `{owner}`, and this rule is on `{on}`"),
        );
        Some(Kind::Any)
    }

    pub(super) fn arguments(
        &mut self,
        word: &Word,
        given: &[Expr],
        kinds: &[Kind],
        position: Position,
    ) {
        if given.len() != word.takes.len() {
            self.wrong(position, format!("`{}` is written as `{}`", word.name, word.example));
            return;
        }
        for ((argument, found), wanted) in given.iter().zip(kinds).zip(word.takes) {
            self.want(found, wanted, argument.start_position(), &format!("`{}` here", word.name));
            if let Kind::Text(domain) = wanted {
                self.name(*domain, argument);
            }
        }
    }

    /// Checks a literal text against the names of a domain.
    pub(super) fn name(&mut self, domain: Domain, expression: &Expr) {
        let Expr::StringConstant(text, position) = expression else { return };
        if let Some(message) = self.unknown_name(domain, text) {
            self.wrong(*position, message);
        }
    }

    /// The message about a name that is not in its domain.
    pub(super) fn unknown_name(&self, domain: Domain, text: &str) -> Option<String> {
        let known = self.known;
        let titles = |keyword| known.titles.of_kind(keyword).iter().map(String::as_str).collect();
        let (what, names): (&str, Vec<&str>) = match domain {
            Domain::Free => return None,
            Domain::Tier | Domain::Task | Domain::Contest | Domain::Grant if !known.all_read => {
                return None;
            }
            Domain::Wallet => {
                let is_known = known.programme.wallets.contains_key(text);
                return (!is_known).then(|| unknown_wallet(text, known.programme));
            }
            Domain::Tier => ("tier", titles("tier")),
            Domain::Task => ("task", titles("task")),
            Domain::Contest => ("contest", titles("contest")),
            Domain::Weekday => ("day of the week", WEEKDAYS.to_vec()),
            Domain::Grant if !known.grants.complete => return None,
            Domain::Grant => ("grant", known.grants.names.iter().map(String::as_str).collect()),
            Domain::Pool => ("pool", known.programme.pools.iter().map(String::as_str).collect()),
            Domain::Trial => ("trial", known.programme.trials.keys().map(String::as_str).collect()),
            Domain::Date => {
                let is_date = text.len() == 10 && text.parse::<NaiveDate>().is_ok();
                return (!is_date)
                    .then(|| format!("`{text}` is no date; write it such as \"2026-12-24\""));
            }
            Domain::Clock => {
                let is_time = text.len() == 5 && NaiveTime::parse_from_str(text, "%H:%M").is_ok();
                return (!is_time)
                    .then(|| format!("`{text}` is no time of day; write it such as \"09:30\""));
            }
            Domain::MonthDay => {
                // 2000 is a leap year, so that 29 February is a day.
                let date = format!("2000-{text}").parse::<NaiveDate>();
                let is_day = text.len() == 5 && date.is_ok();
                return (!is_day)
                    .then(|| format!("`{text}` is no day of a year; write it such as \"12-24\""));
            }
            Domain::Holiday => ("holiday", known.programme.holidays.names().collect()),
        };
        let may_be_empty = matches!(domain, Domain::Tier | Domain::Holiday);
        if names.contains(&text) || (text.is_empty() && may_be_empty) {
            return None;
        }
        let mut hint = did_you_mean(text, names.iter().copied());
        if hint.is_empty() && domain == Domain::Tier {
            let list = names.join("`, `");
            hint = match names.is_empty() {
                true => "; a tier is a line of a sheet: `tier \"Gold\" { member.spend >= 500 }`"
                    .to_owned(),
                false => format!("; there are `{list}`"),
            };
        }
        Some(match domain {
            Domain::Grant => format!("no rule gives a grant `{text}`{hint}"),
            Domain::Pool | Domain::Holiday | Domain::Trial => {
                format!("there is no {what} `{text}` in the manifest{hint}")
            }
            _ => format!("there is no {what} `{text}`{hint}"),
        })
    }

    pub(super) fn unknown_function(&mut self, name: &str, kinds: &[Kind], position: Position) {
        if !self.known.all_read {
            return;
        }
        let own = &self.known.sheets.bodies;
        if let Some(own) = own.iter().find(|own| own.name == name) {
            let list = own.parameters.join(", ");
            self.wrong(position, format!("`{name}` is written as `{name}({list})`"));
            return;
        }
        // A property or method of the first argument may have been written as a function.
        if let Some(first) = kinds.first()
            && let Some(word) = words_of(first).find(|word| word.name == name)
        {
            self.wrong(position, format!("`{name}` is written as `{}`", word.example));
            return;
        }
        let own: Vec<String> = own.iter().map(|own| own.name.clone()).collect();
        let known = WORDS.iter().filter(|word| word.form == Form::Function).map(|word| word.name);
        let hint = did_you_mean(name, known.chain(own.iter().map(String::as_str)));
        self.wrong(position, format!("there is no function `{name}`{hint}"));
    }

    pub(super) fn may_be_given(&mut self, name: &str, position: Position) {
        let message = match self.rule {
            None => Some(format!(
                "`{name}` stands in the rule itself and not in a function, so that the sheet shows what each rule gives"
            )),
            Some(_) if !self.may_give => {
                Some(format!("`{name}` stands in the block, not in a condition"))
            }
            Some(rule) if !rule.statement.effects.contains(&name) => {
                Some(format!("`{name}` cannot be given by `{}`", rule.statement.keyword))
            }
            Some(rule) if name == "refer" && rule.on.as_deref() == Some(REFERRAL) => {
                Some("a referral cannot refer once more".to_owned())
            }
            Some(_)
                if name == "refer" && !self.known.programme.activities.contains_key(REFERRAL) =>
            {
                Some("`refer` needs the activity: list it as [activities.referral]".to_owned())
            }
            Some(_) => None,
        };
        if let Some(message) = message {
            self.wrong(position, message);
        }
    }

    /// Checks that a rule with a budget awards units of the main wallet only: a campaign's budget
    /// counts only those.
    pub(super) fn budgeted(&mut self, call: &FnCallExpr) {
        let programme = self.known.programme;
        let has_budget = self.rule.and_then(|rule| rule.budget(programme)).is_some();
        if let (true, "award", Some(Expr::StringConstant(wallet, position))) =
            (has_budget, call.name.as_str(), call.args.get(1))
            && wallet.as_str() != programme.main_wallet.as_str()
        {
            let main = &programme.main_wallet;
            let message =
                format!("the campaign has a budget of {main}; other units cannot be drawn from it");
            self.wrong(*position, message);
        }
    }

    /// Checks the literal arguments of gifts and awards: a name is not empty, a number is in range.
    pub(super) fn gift(&mut self, call: &FnCallExpr) {
        use rust_decimal::Decimal;
        if let ("product" | "event" | "access", Some(Expr::StringConstant(title, position))) =
            (call.name.as_str(), call.args.first())
            && title.trim().is_empty()
        {
            self.wrong(*position, "what is given has a name".to_owned());
        }
        let Some(number) = call.args.first().and_then(range::number) else { return };
        let position = call.args.first().map_or(Position::NONE, Expr::start_position);
        match call.name.as_str() {
            "award" if number < Decimal::ZERO => {
                self.wrong(position, "units are given, and this is below zero".to_owned());
            }
            "award" => {
                let programme = self.known.programme;
                let wallet = match call.args.get(1) {
                    Some(Expr::StringConstant(name, _)) => {
                        programme.wallets.keys().find(|wallet| wallet.as_str() == name.as_str())
                    }
                    Some(_) => None,
                    None => Some(&programme.main_wallet),
                };
                if let Some(wallet) = wallet {
                    self.dropped(number, wallet, position);
                }
            }
            "discount" | "gift_card" | "payout" if number <= Decimal::ZERO => {
                self.wrong(position, format!("a gift of {number} is none; it is above zero"));
            }
            "percent_off" if number < Decimal::ONE && number > Decimal::ZERO => {
                let whole = (number * Decimal::ONE_HUNDRED).normalize();
                let message = format!(
                    "{number} percent is next to nothing; {whole} percent is `percent_off({whole})`"
                );
                self.warn(position, message);
            }
            "percent_off" if number <= Decimal::ZERO || number > Decimal::ONE_HUNDRED => {
                let message = format!("{number} is no percentage; it is above 0 and at most 100");
                self.wrong(position, message);
            }
            _ => {}
        }
    }
}
