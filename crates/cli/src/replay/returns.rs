//! Returns in a file of orders: which order they are about, and how its lines are named.

use std::collections::BTreeMap;

use ledger::{MemberId, Moment};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::order::Order;

/// What members have bought and not yet given back: their orders, the latest last.
pub(super) struct Bought(BTreeMap<MemberId, Vec<BoughtOrder>>);

struct BoughtOrder {
    key: String,
    at: Moment,
    lines: Vec<Piece>,
}

/// A line of an order with what is left of it, or what came back of one.
#[derive(Debug, Clone)]
struct Piece {
    id: Option<String>,
    sku: Option<String>,
    quantity: Decimal,
}

/// The order that a return is about, and what came back as the API takes it.
#[derive(Debug, PartialEq)]
pub(super) struct ReturnOf {
    pub(super) order: String,
    pub(super) lines: Vec<Value>,
}

impl Bought {
    pub(super) fn of(orders: &[Order]) -> Bought {
        let mut bought: BTreeMap<MemberId, Vec<BoughtOrder>> = BTreeMap::new();
        for order in orders {
            let lines = pieces_of(order.body.pointer("/order/lines"));
            let one = BoughtOrder { key: order.key.clone(), at: order.at, lines };
            bought.entry(order.member.clone()).or_default().push(one);
        }
        for orders in bought.values_mut() {
            orders.sort_by_key(|order| order.at);
        }
        Bought(bought)
    }

    /// Takes a return off the order that it is about: the one that it names, or else the member's
    /// latest order that has all of it left.
    pub(super) fn take(&mut self, back: &Order, of: Option<String>) -> Result<ReturnOf, String> {
        let mut pieces = pieces_of(back.body.get("lines"));
        pieces.retain(|piece| piece.id.is_some() || piece.sku.is_some());
        let mut orders = self.0.get_mut(&back.member).into_iter().flatten().rev();
        let Some(of) = of else {
            let found = orders
                .filter(|order| order.at <= back.at && !pieces.is_empty())
                .find_map(|order| Some((order.without(&pieces)?, order)));
            let Some((left, order)) = found else {
                let names: Vec<String> = pieces.iter().map(Piece::say).collect();
                return Err(format!(
                    "no earlier order of `{}` in the file has {} left; name the order in a column `of`",
                    back.member,
                    if names.is_empty() { "that".to_owned() } else { names.join(", ") }
                ));
            };
            let lines = order.named(&pieces)?;
            order.lines = left;
            return Ok(ReturnOf { order: order.key.clone(), lines });
        };
        let Some(order) = orders.find(|order| order.key == of) else {
            // The order is in an earlier file. A line's number could be the return's own.
            let name = |piece: &Piece| match &piece.sku {
                Some(sku) => json!({ "sku": sku, "quantity": piece.quantity.to_string() }),
                None => json!({ "line": piece.id, "quantity": piece.quantity.to_string() }),
            };
            return Ok(ReturnOf { order: of, lines: pieces.iter().map(name).collect() });
        };
        let lines = order.named(&pieces)?;
        if let Some(left) = order.without(&pieces) {
            order.lines = left;
        }
        Ok(ReturnOf { order: of, lines })
    }
}

impl BoughtOrder {
    /// Whether a line of the order has an id. Ids of a return are then ids of the order's lines.
    fn has_id(&self, id: &str) -> bool {
        self.lines.iter().any(|line| line.id.as_deref() == Some(id))
    }

    fn is_meant(&self, line: &Piece, piece: &Piece) -> bool {
        match (&piece.id, &piece.sku) {
            (Some(id), None) => line.id.as_ref() == Some(id),
            (Some(id), Some(_)) if self.has_id(id) => {
                line.id.as_ref() == Some(id) && line.sku == piece.sku
            }
            _ => line.sku == piece.sku,
        }
    }

    /// What is left of the lines without the pieces; nothing if not all of them are there.
    fn without(&self, pieces: &[Piece]) -> Option<Vec<Piece>> {
        let mut left = self.lines.clone();
        for piece in pieces {
            let mut missing = piece.quantity;
            for line in left.iter_mut().filter(|line| self.is_meant(line, piece)) {
                let taken = missing.min(line.quantity).max(Decimal::ZERO);
                line.quantity -= taken;
                missing -= taken;
            }
            if missing > Decimal::ZERO {
                return None;
            }
        }
        Some(left)
    }

    /// The pieces as the API takes them.
    fn named(&self, pieces: &[Piece]) -> Result<Vec<Value>, String> {
        let name = |piece: &Piece| {
            let quantity = piece.quantity.to_string();
            let id = piece.id.as_ref().filter(|id| piece.sku.is_none() || self.has_id(id));
            let Some(id) = id else {
                return Ok(json!({ "sku": piece.sku, "quantity": quantity }));
            };
            let line = self.lines.iter().find(|line| line.id.as_ref() == Some(id));
            match (line.and_then(|line| line.sku.as_ref()), &piece.sku) {
                (Some(own), Some(sku)) if own != sku => Err(format!(
                    "line `{id}` of order `{}` is `{own}`, and this row says `{sku}`",
                    self.key
                )),
                _ => Ok(json!({ "line": id, "quantity": quantity })),
            }
        };
        pieces.iter().map(name).collect()
    }
}

impl Piece {
    fn say(&self) -> String {
        let name = self.sku.as_ref().or(self.id.as_ref());
        format!("{} of `{}`", self.quantity, name.map_or("", String::as_str))
    }
}

fn pieces_of(lines: Option<&Value>) -> Vec<Piece> {
    let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
    let piece = |line: &Value| {
        let quantity: Decimal = line["quantity"].as_str()?.parse().ok()?;
        Some(Piece { id: text(line, "id"), sku: text(line, "sku"), quantity: quantity.abs() })
    };
    lines.and_then(Value::as_array).into_iter().flatten().filter_map(piece).collect()
}
