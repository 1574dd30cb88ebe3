//! The words that a block asks of things, by itself or in the functions that it calls.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Stmt};

use crate::sheet::Function;

/// The words that a block asks, such as `days` of `member.days`.
pub(crate) fn asked(block: &Expr, functions: &[Function]) -> BTreeSet<String> {
    let mut words = Words::default();
    block.walk(&mut Vec::new(), &mut |path| words.see(path));
    let mut visited: BTreeSet<String> = BTreeSet::new();
    while let Some(name) = words.called.difference(&visited).next().cloned() {
        for function in functions.iter().filter(|function| function.name == name) {
            for statement in &function.statements {
                statement.walk(&mut Vec::new(), &mut |path| words.see(path));
            }
        }
        visited.insert(name);
    }
    words.asked
}

#[derive(Default)]
struct Words {
    asked: BTreeSet<String>,
    called: BTreeSet<String>,
}

impl Words {
    /// Always goes on.
    fn see(&mut self, path: &[ASTNode<'_>]) -> bool {
        match path.last() {
            Some(ASTNode::Expr(Expr::Property(property, _))) => {
                self.asked.insert(property.2.to_string());
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => {
                self.asked.insert(call.name.to_string());
                self.called.insert(call.name.to_string());
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                self.called.insert(call.name.to_string());
            }
            _ => {}
        }
        true
    }
}
