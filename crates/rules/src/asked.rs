//! The words and wallets that a block reads, itself or in the functions that it calls.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Stmt};

use crate::sheet::Function;

/// The words and wallets that a block reads.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The words, such as `days` of `member.days`.
    pub(crate) words: BTreeSet<String>,
    /// The names of the wallets, as in `wallet("miles")`; nothing for a name that is not a literal.
    pub(crate) wallets: BTreeSet<Option<String>>,
    called: BTreeSet<String>,
}

impl Asked {
    /// The words and wallets that a block reads, itself or in the functions that it calls.
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

    /// Records the last node of a path. Returns true, so that the walk continues.
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
