//! The check of names that the shop's own system gives, such as categories: no list says which
//! there are, but two that differ by a letter are seldom both meant.

use std::collections::BTreeMap;

use rhai::{ASTNode, Expr, Position, Stmt};

use crate::mistake::Mistake;
use crate::sheet::Sheets;
use crate::words::words;

/// What a name names, and the name.
type Named = (String, String);

/// The places of each name, in the order of the sheets.
type Places = BTreeMap<Named, Vec<(String, Position)>>;

/// Warns of each name that is spelt much like another one of the same kind.
pub(super) fn alike(sheets: &Sheets) -> Vec<Mistake> {
    let mut places = Places::new();
    for rule in &sheets.rules {
        let blocks = [rule.when.as_ref(), rule.counting.as_ref(), Some(&rule.body)];
        for block in blocks.into_iter().flatten() {
            block.walk(&mut Vec::new(), &mut |path| see(&mut places, &rule.file, path));
        }
    }
    for function in &sheets.bodies {
        for statement in &function.statements {
            statement.walk(&mut Vec::new(), &mut |path| see(&mut places, &function.file, path));
        }
    }
    let mut mistakes = Vec::new();
    for ((what, name), at) in &places {
        let of_kind = places.iter().filter(|((of, _), _)| of == what);
        // The name that is written more often is likely right, or else the one that comes first.
        let likelier = of_kind.filter(|((_, other), others)| {
            let counts = others.len().cmp(&at.len());
            are_alike(name, other) && counts.then_with(|| at.first().cmp(&others.first())).is_gt()
        });
        let Some(((_, likelier), others)) = likelier.max_by_key(|(_, others)| others.len()) else {
            continue;
        };
        let (Some((file, position)), Some((other_file, other))) = (at.first(), others.first())
        else {
            continue;
        };
        let line = other.line().unwrap_or_default();
        let message = format!(
            "{what} is `{name}` here and `{likelier}` at {other_file}:{line}; write both alike if one is meant"
        );
        mistakes.push(Mistake::warning(file, *position, message));
    }
    mistakes
}

/// Notes the names that the last node of a path asks for. Returns true, so that the walk continues.
fn see(places: &mut Places, file: &str, path: &[ASTNode<'_>]) -> bool {
    let Some((last, above)) = path.split_last() else { return true };
    let mut note = |what: String, name: &Expr| {
        if let Expr::StringConstant(text, position) = name {
            let at = (file.to_owned(), *position);
            places.entry((what, text.to_string())).or_default().push(at);
        }
    };
    match last {
        ASTNode::Expr(Expr::MethodCall(call, _)) => {
            let of_member = above.iter().rev().find_map(|node| match node {
                ASTNode::Expr(Expr::Dot(dot, ..)) => {
                    Some(words(&dot.lhs).is_some_and(|of| of == "member"))
                }
                _ => None,
            });
            let what = match (call.name.as_str(), of_member) {
                ("has", Some(true)) => "a tag",
                ("attribute", Some(true)) => "an attribute of the member",
                ("attribute", _) => "an attribute of a line",
                ("has" | "quantity" | "spent" | "tagged", _) => "a category",
                ("paid", _) => "a means of payment",
                _ => return true,
            };
            call.args.first().into_iter().for_each(|name| note(what.to_owned(), name));
        }
        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => {
            match (call.name.as_str(), &call.args[..]) {
                ("tag" | "untag", [name]) => note("a tag".to_owned(), name),
                ("==" | "!=", [left, right]) => {
                    for (fact, name) in [(left, right), (right, left)] {
                        value_of(fact).into_iter().for_each(|what| note(what, name));
                    }
                }
                ("contains", [Expr::Array(names, _), fact]) => {
                    if let Some(what) = value_of(fact) {
                        names.iter().for_each(|name| note(what.clone(), name));
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
    true
}

/// What a compared fact names, if its values are names of the shop's own.
fn value_of(fact: &Expr) -> Option<String> {
    let fact = words(fact)?;
    if fact.ends_with(".category") {
        return Some("a category".to_owned());
    }
    let (_, attribute) = fact.rsplit_once(".attribute(")?;
    Some(format!("the attribute {}", attribute.strip_suffix(')')?))
}

/// Whether two names differ so little that one is likely a slip: by case, by a letter that is
/// missing or two that are swapped, or, in long names, by any one letter. Names that differ in a
/// number, such as `size-1` and `size-2`, are two.
fn are_alike(one: &str, other: &str) -> bool {
    let letters = |name: &str| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    if one == other || digits(one) != digits(other) {
        return false;
    }
    let (one, other) = (letters(one).to_lowercase(), letters(other).to_lowercase());
    if one == other {
        return true;
    }
    // Only one word of a name may differ: `shoes-s` and `shoes-m` are two sizes.
    let words = |name: &str| -> Vec<String> {
        name.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let (words, other_words) = (words(&one), words(&other));
    if words.len() != other_words.len() {
        return false;
    }
    let mut differing = words.iter().zip(&other_words).filter(|(one, other)| one != other);
    let (Some((one, other)), None) = (differing.next(), differing.next()) else { return false };
    let (length, other_length) = (one.chars().count(), other.chars().count());
    let shortest = length.min(other_length);
    let is_swap = || {
        let differing = one.chars().zip(other.chars()).filter(|(one, other)| one != other);
        differing.count() == 2
    };
    let same_start = one.chars().next() == other.chars().next();
    strsim::damerau_levenshtein(one, other) == 1
        && shortest >= 5
        && (length != other_length || is_swap() || (shortest >= 7 && same_start))
}
