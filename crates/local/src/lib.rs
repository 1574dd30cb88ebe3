//! Regulars on a laptop: an embedded DynamoDB, and one server with every function's routes.
//!
//! There is no second storage implementation. The functions speak to the embedded database through
//! the AWS SDK and HTTP, as they do to the real one.

/// Every function's routes in one router.
mod app;
/// The embedded DynamoDB.
mod database;
/// Publishing folders of rules to the table.
mod publish;

pub use app::app;
pub use database::{Database, DatabaseError, REGION, TABLE, config};
pub use publish::{FolderError, folders, publish_all, publish_folder};
