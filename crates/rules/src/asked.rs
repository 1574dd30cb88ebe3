//! What a block asks of things, by itself or in the functions that it calls.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Stmt};

use crate::sheet::Function;

/// What a block asks.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Words, such as `days` of `member.days`.
    pub(crate) words: BTreeSet<String>,
    /// Wallets, as `wallet("miles")`; nothing for one whose name is not written out.
    pub(crate) wallets: BTreeSet<Option<String>>,
    called: BTreeSet<String>,
}

impl Asked {
    /// What a block asks, by itself or in functions.
    pub(crate) fn by(block: &Expr, functions: &[Function]) -> Asked {
        let mut asked = Asked::default();
        block.walk(&mut Vec::new(), &mut |path| asked.see(path));
        let mut visited: BTreeSet<String> = BTreeSet::new();
        while let Some(name) = asked.called.difference(&visited).next().cloned() {
            for function in functions.iter().filter(|function| function.name == name) {
                for statement in &function.statements {
                    statement.walk(&mut Vec::new(), &mut |path| asked.see(path));
                }
            }
            visited.insert(name);
        }
        asked
    }

    /// Always goes on.
    fn see(&mut self, path: &[ASTNode<'_>]) -> bool {
        match path.last() {
            Some(ASTNode::Expr(Expr::Property(property, _))) => {
                self.words.insert(property.2.to_string());
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => {
                self.words.insert(call.name.to_string());
                self.called.insert(call.name.to_string());
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                self.called.insert(call.name.to_string());
                if call.name == "wallet" {
                    let name = call.args.first().and_then(|name| match name {
                        Expr::StringConstant(name, _) => Some(name.to_string()),
                        _ => None,
                    });
                    self.wallets.insert(name);
                }
            }
            _ => {}
        }
        true
    }
}
