//! A sheet's text, split into tokens. It answers what the engine's syntax tree cannot: where an
//! unclosed bracket opens, and which texts a `switch` compares with.

/// A token of a sheet. Spaces and comments are not tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'t> {
    /// A name, a keyword or a number.
    Word(&'t str),
    /// The content between two quotes, as it is written.
    Text(&'t str),
    /// Any other character.
    Sign(char),
}

/// The tokens of a text, each with the byte at which it begins.
fn pieces(text: &str) -> impl Iterator<Item = (usize, Piece<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let first = rest.chars().next()?;
            let begins = at;
            if rest.starts_with("//") {
                at += rest.find('\n').unwrap_or(rest.len());
            } else if first == '"' {
                let length = text_length(rest.get(1..)?);
                at += length + 2;
                return Some((begins, Piece::Text(rest.get(1..=length)?)));
            } else if is_part(first) {
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                at += length;
                return Some((begins, Piece::Word(rest.get(..length)?)));
            } else {
                at += first.len_utf8();
                if !first.is_whitespace() {
                    return Some((begins, Piece::Sign(first)));
                }
            }
        }
    })
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The number of bytes before the quote that ends a text.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.unwrap_or(rest.len())
}

/// The line and column of a byte, both counted from 1.
#[must_use]
pub fn place_of(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    (line, column)
}

/// The byte of a line and column, both counted from 1; the end of the line if it is shorter.
pub(crate) fn byte_of(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(before..)?.split('\n').next()?;
    let within = line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
    Some(before + within)
}

/// The byte of the innermost `{` that is still open at a byte.
pub(crate) fn still_open(text: &str, before: usize) -> Option<usize> {
    let mut open = Vec::new();
    for (at, piece) in pieces(text).take_while(|(at, _)| *at < before) {
        match piece {
            Piece::Sign('{') => open.push(at),
            Piece::Sign('}') => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

/// The names that a sheet declares with `let`.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = &str> {
    let mut before = None;
    pieces(text).filter_map(move |(_, piece)| {
        let name = match (before, piece) {
            (Some(Piece::Word("let")), Piece::Word(name)) => Some(name),
            _ => None,
        };
        before = Some(piece);
        name
    })
}

/// A text that a `switch` compares with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Case<'t> {
    /// The byte of its first quote.
    pub(crate) at: usize,
    pub(crate) text: &'t str,
    /// Whether an `if` follows.
    pub(crate) has_condition: bool,
}

/// The texts that a `switch` compares with. `from` is the byte of the expression that it switches
/// on.
pub(crate) fn cases(text: &str, from: usize) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    // The number of cases before the last `=>`.
    let mut done = 0;
    let mut depth = 0_usize;
    // Whether a text here is a case: after a `,` or `{`, and before the `=>` and any `if`.
    let mut is_case = true;
    let mut before = None;
    for (at, piece) in pieces(text).skip_while(|(at, _)| *at < from) {
        match piece {
            Piece::Sign('{' | '(' | '[') => depth += 1,
            Piece::Sign('}' | ')' | ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && piece == Piece::Sign('}') {
                    break;
                }
                // No comma is needed after a block.
                is_case |= depth == 1 && piece == Piece::Sign('}');
            }
            Piece::Sign(',') if depth == 1 => is_case = true,
            Piece::Sign('>') if depth == 1 && before == Some(Piece::Sign('=')) => {
                is_case = false;
                done = cases.len();
            }
            Piece::Word("if") if depth == 1 && is_case => {
                is_case = false;
                cases.iter_mut().skip(done).for_each(|case| case.has_condition = true);
            }
            Piece::Text(text) if depth == 1 && is_case => {
                cases.push(Case { at, text, has_condition: false });
            }
            _ => {}
        }
        before = Some(piece);
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_block_is_found_past_comments_and_texts() {
        let text = "earn \"a {\" on purchase { // {\n  if x { 1 }\n\nearn \"b\" on purchase { 2 }";
        assert_eq!(still_open(text, text.rfind("earn").unwrap()), text.find("{ //"));
        assert_eq!(still_open("{ }", 3), None);
    }

    #[test]
    fn a_switch_looks_for_its_texts_and_for_no_others() {
        let text = "switch member.tier { \"Gold\" | \"Top\" => f(\"x\", \"y\"), \"Low\" if a == \"b\" => { \"c\" } \"Last\" => 1, _ => \"d\" } \"e\"";
        let found: Vec<(&str, bool)> =
            cases(text, 7).iter().map(|case| (case.text, case.has_condition)).collect();
        assert_eq!(found, [("Gold", false), ("Top", false), ("Low", true), ("Last", false)]);
    }

    #[test]
    fn a_place_is_a_byte() {
        assert_eq!(byte_of("é\nab", (2, 2)), Some(4));
        assert_eq!(byte_of("é\nab", (1, 2)), Some(2));
        assert_eq!(byte_of("é", (3, 1)), Some(2));
        assert_eq!(byte_of("é\nab", (1, 9)), Some(2));
        assert_eq!(place_of("é\nab", 4), (2, 2));
        assert_eq!(place_of("é\nab", 2), (1, 2));
    }
}
