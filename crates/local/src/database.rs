//! The embedded DynamoDB.

use std::net::SocketAddr;
use std::path::Path;

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_dynamodb::config::Credentials;
use store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The name of the table in the embedded database.
pub const TABLE: &str = "regulars";
/// The region that clients of the embedded database use. The database accepts any.
pub const REGION: &str = "us-east-1";

/// The reason for which a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be opened as a database.
    #[error("the data file `{path}` cannot be opened: {reason}")]
    File {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The address is in use or cannot be bound.
    #[error("the database cannot be served on {address}: {reason}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: std::io::Error,
    },
    /// The table cannot be created.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An embedded DynamoDB, which this process serves on a loopback port until the value is dropped.
#[derive(Debug)]
pub struct Database {
    store: Store,
    address: SocketAddr,
    /// The server's task; nothing if another process serves the database.
    server: Option<JoinHandle<()>>,
}

impl Database {
    /// Opens a database file, or a database in memory, and serves it on a port (0 for any free
    /// one). Creates the table if there is none.
    ///
    /// # Errors
    /// The file cannot be opened, the port cannot be bound, or the table cannot be created.
    pub async fn open(file: Option<&Path>, port: u16) -> Result<Database, DatabaseError> {
        let opened = match file {
            None => dynoxide::Database::memory(),
            Some(path) => {
                let fail = |reason: String| DatabaseError::File {
                    path: path.display().to_string(),
                    reason,
                };
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
                {
                    std::fs::create_dir_all(folder).map_err(|error| fail(error.to_string()))?;
                }
                let path = path.to_str().ok_or_else(|| fail("its name is no text".to_owned()))?;
                dynoxide::Database::new(path)
            }
        };
        let database = opened.map_err(|error| DatabaseError::File {
            path: file.map_or_else(|| "memory".to_owned(), |path| path.display().to_string()),
            reason: error.to_string(),
        })?;

        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let fail = |reason| DatabaseError::Address { address, reason };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let server = tokio::spawn(dynoxide::server::serve_on(listener, database));

        let store = Store::new(api::client(config(&format!("http://{address}"))).await, TABLE);
        store.create_table().await?;
        Ok(Database { store, address, server: Some(server) })
    }

    /// A database that another process serves at this address, such as DynamoDB Local. Creates the
    /// table of this name if there is none.
    ///
    /// # Errors
    /// The database cannot be reached, or the table cannot be created.
    pub async fn at(address: SocketAddr, table: &str) -> Result<Database, DatabaseError> {
        let store = Store::new(api::client(config(&format!("http://{address}"))).await, table);
        store.create_table().await?;
        Ok(Database { store, address, server: None })
    }

    /// The table.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The address at which the database is served, for other processes.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The configuration of a client for a database on this machine.
#[must_use]
pub fn config(endpoint: &str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}
