//! The check of names that the shop's own system gives, such as categories: no list says which
//! there are, but two that differ by a letter are seldom both meant.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rhai::{ASTNode, Expr, Position, Stmt};

use crate::mistake::Mistake;
use crate::sheet::Sheets;
use crate::words::words;

/// The most names that are compared. Nobody has typed more: a program has written them.
const NAMES_MAX: usize = 500;
/// The most names that are the same without one letter. Of more, the letter is how a shop tells them
/// apart.
const GROUP_MAX: usize = 10;
/// The most letters of a name that is compared.
const LETTERS_MAX: usize = 60;

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
    if places.len() > NAMES_MAX {
        return Vec::new();
    }
    let places: Vec<(Named, Vec<(String, Position)>)> = places.into_iter().collect();
    let mut mistakes = Vec::new();
    for (((what, name), at), near) in places.iter().zip(pairs(&places)) {
        // The name that is written more often is likely right, or else the one that comes first.
        let likelier =
            near.into_iter().filter_map(|other| places.get(other)).filter(|(_, others)| {
                let counts = others.len().cmp(&at.len());
                counts.then_with(|| at.first().cmp(&others.first())).is_gt()
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

/// For each name the places of those that are spelt like it. Two that differ by one letter are the
/// same once each has lost a letter, so that only names which share such a rest are compared.
fn pairs(places: &[(Named, Vec<(String, Position)>)]) -> Vec<BTreeSet<usize>> {
    let spellings: Vec<Spelling> =
        places.iter().map(|((what, name), _)| Spelling::of(what, name)).collect();
    let mut rests: Vec<(u64, usize)> = Vec::new();
    for (number, spelling) in spellings.iter().enumerate() {
        rests.extend(spelling.rests().into_iter().map(|rest| (rest, number)));
    }
    rests.sort_unstable();
    rests.dedup();
    let mut pairs = vec![BTreeSet::new(); places.len()];
    for group in rests.chunk_by(|(one, _), (other, _)| one == other) {
        if group.len() > GROUP_MAX {
            continue;
        }
        for (first, (_, one)) in group.iter().enumerate() {
            for (_, other) in group.iter().skip(first + 1) {
                let (Some(a), Some(b)) = (spellings.get(*one), spellings.get(*other)) else {
                    continue;
                };
                if a.is_like(b) {
                    pairs.get_mut(*one).into_iter().for_each(|near| _ = near.insert(*other));
                    pairs.get_mut(*other).into_iter().for_each(|near| _ = near.insert(*one));
                }
            }
        }
    }
    pairs
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

/// A name as it is compared with others of what it names.
struct Spelling<'a> {
    what: &'a str,
    /// Names that differ in a number, such as `size-1` and `size-2`, are two.
    digits: String,
    /// The rest, in lower case.
    letters: String,
}

impl Spelling<'_> {
    fn of<'a>(what: &'a str, name: &str) -> Spelling<'a> {
        let (digits, letters): (String, String) = name.chars().partition(char::is_ascii_digit);
        Spelling { what, digits, letters: letters.to_lowercase() }
    }

    /// The hashes of the name, and of the name without each of its letters. None of a long name,
    /// which is a sentence.
    fn rests(&self) -> Vec<u64> {
        let count = self.letters.chars().count();
        if count > LETTERS_MAX {
            return Vec::new();
        }
        let without = |left_out: usize| {
            let mut hasher = DefaultHasher::new();
            (self.what, &self.digits).hash(&mut hasher);
            let letters = self.letters.chars().enumerate();
            letters
                .filter(|(place, _)| *place != left_out)
                .for_each(|(_, letter)| letter.hash(&mut hasher));
            hasher.finish()
        };
        // Without the letter after the last one is the whole name.
        (0..=count).map(without).collect()
    }

    /// Whether two names differ so little that one is likely a slip: by case, by a letter that is
    /// missing or two that are swapped, or, in long names, by any one letter.
    fn is_like(&self, other: &Spelling<'_>) -> bool {
        if (self.what, &self.digits) != (other.what, &other.digits) {
            return false;
        }
        if self.letters == other.letters {
            return true;
        }
        // Only one word of a name may differ: `shoes-s` and `shoes-m` are two sizes.
        let words = self.letters.split(|c: char| !c.is_alphanumeric());
        let other_words = other.letters.split(|c: char| !c.is_alphanumeric());
        if words.clone().count() != other_words.clone().count() {
            return false;
        }
        let mut differing = words.zip(other_words).filter(|(one, other)| one != other);
        let (Some((one, other)), None) = (differing.next(), differing.next()) else { return false };
        let (length, other_length) = (one.chars().count(), other.chars().count());
        let shortest = length.min(other_length);
        let is_swap = || {
            let differing = one.chars().zip(other.chars()).filter(|(one, other)| one != other);
            differing.count() == 2
        };
        let same_start = one.chars().next() == other.chars().next();
        shortest >= 5
            && strsim::damerau_levenshtein(one, other) == 1
            && (length != other_length || is_swap() || (shortest >= 7 && same_start))
    }
}
