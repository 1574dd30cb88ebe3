//! Where the members are that a command reads: in a data file on this machine, or in a table.

use std::path::PathBuf;

use aws_config::BehaviorVersion;
use clap::Args;
use local::Database;
use store::Store;

use crate::place::{self, Rules};
use crate::result::CommandResult;

/// The options that say where the members are.
#[derive(Debug, Args)]
pub(crate) struct Stored {
    /// A data file [default: the one that `regulars dev` keeps]
    #[arg(long, value_name = "FILE", conflicts_with = "table")]
    data: Option<PathBuf>,
    /// A table, with the credentials and the region of the environment
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Where the table is, if not in AWS, such as http://127.0.0.1:8000
    #[arg(long, value_name = "URL", requires = "table")]
    endpoint: Option<String>,
}

/// An open store. A data file is served until this is dropped.
pub(crate) struct Opened {
    store: Store,
    _served: Option<Database>,
}

impl Opened {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

impl Stored {
    /// Whether it is a table, which others may be using.
    pub(crate) fn is_table(&self) -> bool {
        self.table.is_some()
    }

    /// Opens the table, the data file, or the data file beside the rules.
    pub(crate) async fn open(&self, rules: &Rules) -> CommandResult<Opened> {
        if let Some(name) = &self.table {
            let config = aws_config::defaults(BehaviorVersion::latest());
            let config = match &self.endpoint {
                Some(endpoint) => config.endpoint_url(endpoint),
                None => config,
            };
            return Ok(Opened {
                store: Store::new(api::client(config).await, name),
                _served: None,
            });
        }
        let data = match &self.data {
            Some(data) => data.clone(),
            None => place::data(&rules.folder()?, "dev.db"),
        };
        if !data.is_file() {
            return Err(format!("there is no data file `{}`", data.display()).into());
        }
        let database = Database::open(Some(&data), 0).await?;
        Ok(Opened { store: database.store().clone(), _served: Some(database) })
    }
}
