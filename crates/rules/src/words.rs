//! Expressions and values as text, in the words of the sheet. A trace uses them to show why a rule
//! applied.

use rhai::{ASTNode, Dynamic, Expr};

/// A fact as it is written: `member.tier`, `order.quantity("beans")`; nothing for an expression
/// that is not a fact.
pub(crate) fn words(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Variable(name, ..) => Some(name.1.to_string()),
        Expr::Property(property, _) => Some(property.2.to_string()),
        Expr::MethodCall(call, _) | Expr::FnCall(call, _)
            if call.name.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            let given: Option<Vec<String>> = call.args.iter().map(argument).collect();
            Some(format!("{}({})", call.name, given?.join(", ")))
        }
        Expr::Dot(dot, ..) => Some(format!("{}.{}", words(&dot.lhs)?, words(&dot.rhs)?)),
        _ => None,
    }
}

fn argument(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringConstant(text, _) => Some(format!("{text:?}")),
        Expr::IntegerConstant(number, _) => Some(number.to_string()),
        Expr::DynamicConstant(value, _) => Some(value.to_string()),
        other => words(other),
    }
}

/// The facts that a condition reads, each once, in the order in which they are written.
pub(crate) fn facts(condition: &Expr) -> Vec<&Expr> {
    let mut found: Vec<&Expr> = Vec::new();
    collect(condition, &mut found);
    found
}

fn collect<'e>(expression: &'e Expr, found: &mut Vec<&'e Expr>) {
    let is_symbol = |name: &str| !name.starts_with(|c: char| c.is_ascii_alphabetic());
    match expression {
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
            parts.iter().for_each(|part| collect(part, found));
        }
        Expr::FnCall(call, _) if is_symbol(&call.name) || call.name == "contains" => {
            call.args.iter().for_each(|part| collect(part, found));
        }
        Expr::Dot(..) | Expr::FnCall(..) | Expr::Variable(..) => {
            let text = words(expression);
            let known = |other: &&Expr| words(other) == text;
            if text.is_some() && !found.iter().any(known) {
                found.push(expression);
            }
        }
        _ => {}
    }
}

/// The facts that an expression or a block reads of the member, wherever they stand in it, each once.
/// What the functions read that it calls is not among them.
pub(crate) fn facts_within(part: &Expr) -> Vec<Expr> {
    let mut found: Vec<(String, Expr)> = Vec::new();
    part.walk(&mut Vec::new(), &mut |path| {
        if let Some(ASTNode::Expr(expression)) = path.last()
            && let Some(text) = words(expression)
            && (["member.", "wallet("].iter().any(|begin| text.starts_with(begin))
                || text == "points")
            && !found.iter().any(|(other, _)| *other == text)
        {
            found.push((text, (*expression).clone()));
        }
        true
    });
    found.into_iter().map(|(_, expression)| expression).collect()
}

/// A value as a sheet writes it.
pub(crate) fn say(value: &Dynamic) -> String {
    match value.as_immutable_string_ref() {
        Ok(text) => format!("\"{}\"", &**text),
        Err(_) if value.is_unit() => "nothing".to_owned(),
        Err(_) => value.to_string(),
    }
}
