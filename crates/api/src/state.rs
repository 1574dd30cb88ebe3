use std::sync::Arc;
use std::time::Duration;

use ledger::MerchantId;
use rules::Bundle;
use store::Store;

use crate::bundles::{Bundles, NoBundle};
use crate::{Clock, Identity, Problem, Refusal};

/// What every function holds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// The table.
    pub store: Store,
    /// What tells the time.
    pub clock: Clock,
    pub(crate) identity: Identity,
    bundles: Bundles,
}

impl Api {
    /// The state over a table.
    #[must_use]
    pub fn new(store: Store, clock: Clock, identity: Identity) -> Api {
        Api { store, clock, identity, bundles: Bundles::default() }
    }

    /// The same, asking for the active bundle whenever the last answer is older than this. On a
    /// laptop that is at once: there an edit shows with the next request.
    #[must_use]
    pub fn with_bundle_age_max(mut self, age_max: Duration) -> Api {
        self.bundles.age_max = age_max;
        self
    }

    /// Rules that a request was judged by, whether or not they are still in force.
    ///
    /// # Errors
    /// They cannot be had.
    pub async fn bundle_of(
        &self,
        merchant: &MerchantId,
        hash: &str,
    ) -> Result<Arc<Bundle>, Problem> {
        self.bundles.of(&self.store, merchant, hash).await.map_err(|none| match none {
            NoBundle::Store(error) => error.into(),
            NoBundle::Unpublished | NoBundle::Broken(_) => {
                Refusal::Internal(format!("rules {hash} of {merchant} cannot be read")).into()
            }
        })
    }

    /// The rules that the merchant's requests are judged by.
    ///
    /// # Errors
    /// The merchant has published none, or they cannot be had.
    pub async fn bundle(&self, merchant: &MerchantId) -> Result<Arc<Bundle>, Problem> {
        self.bundles.active(&self.store, merchant).await.map_err(|none| match none {
            NoBundle::Unpublished => Refusal::MerchantIsUnknown(merchant.clone()).into(),
            NoBundle::Store(error) => error.into(),
            NoBundle::Broken(reason) => {
                Refusal::Internal(format!("rules of {merchant}: {reason}")).into()
            }
        })
    }
}
