//! The state that every function holds: the table, the clock, the accepted identities and the
//! cached bundles.

use std::sync::Arc;
use std::time::Duration;

use decide::EarlierRules;
use ledger::MerchantId;
use rules::Bundle;
use store::{MemberKey, Store};

use crate::bundles::{Bundles, NoBundle};
use crate::{Clock, Identity, Lacking, Problem, Refusal};

/// The state that every function holds. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// The table.
    pub store: Store,
    /// The source of the current time.
    pub clock: Clock,
    pub(crate) identity: Identity,
    bundles: Bundles,
}

impl Api {
    /// Creates the state of a function that works on this table.
    #[must_use]
    pub fn new(store: Store, clock: Clock, identity: Identity) -> Api {
        Api { store, clock, identity, bundles: Bundles::default() }
    }

    /// Sets the age after which a cached bundle is checked against the table. The local server sets
    /// zero, so that an edited rule applies to the next request.
    #[must_use]
    pub fn with_bundle_age_max(mut self, age_max: Duration) -> Api {
        self.bundles.age_max = age_max;
        self
    }

    /// The bundle of this hash, by which an earlier request was judged. It need not be the active
    /// one.
    ///
    /// # Errors
    /// The bundle cannot be loaded.
    pub async fn bundle_of(
        &self,
        merchant: &MerchantId,
        hash: &str,
    ) -> Result<Arc<Bundle>, Refusal> {
        self.bundles.of(&self.store, merchant, hash).await.map_err(|none| match none {
            NoBundle::Store(error) => error.into(),
            NoBundle::Unpublished | NoBundle::Broken(_) => {
                let (merchant, hash) = (merchant.clone(), hash.to_owned());
                Refusal::RulesAreUnreadable { merchant, hash }
            }
        })
    }

    /// The rules by which earlier entries were judged, as far as they are cached.
    #[must_use]
    pub fn earlier_rules(&self, merchant: &MerchantId) -> EarlierRules {
        self.bundles.earlier(merchant)
    }

    /// Loads those that an attempt lacked, so that it can be made again.
    ///
    /// # Errors
    /// The attempt lacked nothing: it failed. Or they cannot be loaded.
    pub async fn supply<E: From<Refusal>>(
        &self,
        merchant: &MerchantId,
        lacking: Lacking<E>,
        earlier: &mut EarlierRules,
    ) -> Result<(), E> {
        match lacking {
            Lacking::Nothing(error) => Err(error),
            Lacking::Rules(hashes) => {
                for hash in hashes {
                    let bundle = self.bundle_of(merchant, &hash).await?;
                    earlier.insert(hash, bundle);
                }
                Ok(())
            }
        }
    }

    /// The refusal of a request about an entry that is not found: `unknown`, unless there is no such
    /// member, or it is erased, so that its entries cannot be read.
    pub async fn not_found(&self, at: &MemberKey, unknown: Refusal) -> Problem {
        match self.store.member(at).await {
            Err(error) => error.into(),
            Ok(None) => Refusal::MemberIsUnknown(at.member.clone()).into(),
            Ok(Some(member)) => match member.present() {
                Err(erased) => Refusal::Decision(erased.into()).into(),
                Ok(()) => unknown.into(),
            },
        }
    }

    /// The merchant's active bundle, by which its requests are judged.
    ///
    /// # Errors
    /// The merchant has published no rules, or the bundle cannot be loaded.
    pub async fn bundle(&self, merchant: &MerchantId) -> Result<Arc<Bundle>, Refusal> {
        self.bundles.active(&self.store, merchant).await.map_err(|none| match none {
            NoBundle::Unpublished => Refusal::MerchantIsUnknown(merchant.clone()),
            NoBundle::Store(error) => error.into(),
            NoBundle::Broken(reason) => Refusal::Internal(format!("rules of {merchant}: {reason}")),
        })
    }
}
