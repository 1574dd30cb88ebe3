//! The bundles of each merchant: published to the table, loaded from it, compiled and cached.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use decide::EarlierRules;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use ledger::MerchantId;
use rules::{Bundle, BundleRejection, Sources};
use store::{Exception, Store, StoreError, StoredBundle};
use tokio::time::Instant;

/// The age after which an instance checks in the table whether its cached bundle is still active.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(5);
/// The most active bundles that an instance caches, one per merchant, and the most earlier ones.
const MERCHANTS_MAX: usize = 256;
/// The most bytes that packed sources may unpack to.
const SOURCES_BYTES_MAX: u64 = 1024 * 1024;

/// The reason for which a bundle was not published, or could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The sources have mistakes, or a spec fails.
    #[error(transparent)]
    Rejected(#[from] BundleRejection),
    /// The table could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules would forget something that members have.
    #[error("{}", .0.join("\n"))]
    Forgets(Vec<String>),
    /// The rules in force cannot be read, so nobody can say what would be forgotten.
    #[error("the rules in force cannot be read, so nobody can say what would be forgotten: {0}")]
    NotComparable(String),
    /// The sources could not be packed or unpacked.
    #[error("its sources cannot be packed or unpacked: {0}")]
    Pack(String),
}

/// The reason for which a bundle could not be loaded.
#[derive(Debug)]
pub(crate) enum NoBundle {
    /// The merchant has published none.
    Unpublished,
    /// The table cannot be read.
    Store(StoreError),
    /// The published bundle cannot be used by this version of the code.
    Broken(String),
}

/// What becomes of rules that would forget something that members have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgetting {
    /// They are not published.
    Refused,
    /// They are published.
    Allowed,
}

/// How rules are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publishing {
    /// What becomes of rules that would forget something.
    pub forgetting: Forgetting,
    /// Why they are published though they are beyond the merchant's gate. It is recorded with the
    /// bundle.
    pub exception: Option<Exception>,
}

impl From<Forgetting> for Publishing {
    fn from(forgetting: Forgetting) -> Publishing {
        Publishing { forgetting, exception: None }
    }
}

/// Publishes a merchant's sources: checks them, runs their specs, compares them with the rules in
/// force, allocates the shared limits, stores the sources under their hash for ever, and makes them
/// the active bundle.
///
/// # Errors
/// The sources have mistakes, a spec fails, something would be forgotten, or the table could not be
/// written. The active bundle stays the same then. Some shared limits may already have their new
/// size; it is safe to publish the same sources again.
pub async fn publish(
    store: &Store,
    merchant: &MerchantId,
    sources: &Sources,
    how: impl Into<Publishing>,
) -> Result<Bundle, PublishError> {
    let Publishing { forgetting, exception } = how.into();
    let bundle = decide::proven(merchant, sources)?;
    if forgetting == Forgetting::Refused
        && let Some(in_force) = in_force(store, merchant).await?
    {
        forgets_nothing(&in_force, &bundle)?;
    }
    for (limit, units) in bundle.shared_limits() {
        store.allocate(merchant, &limit, units).await?;
    }
    let body = pack(sources).map_err(|error| PublishError::Pack(error.to_string()))?;
    let stored = StoredBundle { hash: bundle.hash().to_string(), body };
    store.publish(merchant, stored, exception.as_ref()).await?;
    Ok(bundle)
}

/// The rules in force; `None` if a merchant has never published any.
///
/// # Errors
/// The table could not be read, or they cannot be read, so that nothing can be compared with them.
pub async fn in_force(
    store: &Store,
    merchant: &MerchantId,
) -> Result<Option<Bundle>, PublishError> {
    let Some(active) = store.active_bundle(merchant).await? else { return Ok(None) };
    match bundle_of(store, merchant, &active).await {
        Ok(bundle) => Ok(Some(bundle)),
        Err(PublishError::Pack(reason)) => Err(PublishError::NotComparable(reason)),
        Err(other) => Err(other),
    }
}

/// Checks that other rules would forget nothing that members have by the rules in force.
///
/// # Errors
/// They would.
pub fn forgets_nothing(in_force: &Bundle, bundle: &Bundle) -> Result<(), PublishError> {
    match rules::forgotten(in_force, bundle) {
        forgotten if forgotten.is_empty() => Ok(()),
        forgotten => Err(PublishError::Forgets(forgotten)),
    }
}

fn pack(sources: &Sources) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&serde_json::to_vec(sources)?)?;
    encoder.finish()
}

fn unpack(body: &[u8]) -> std::io::Result<Sources> {
    let mut json = Vec::new();
    DeflateDecoder::new(body).take(SOURCES_BYTES_MAX).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// The published bundle of this hash. It need not be the active one.
///
/// # Errors
/// There is no bundle of this hash, or it cannot be read.
pub async fn bundle_of(
    store: &Store,
    merchant: &MerchantId,
    hash: &str,
) -> Result<Bundle, PublishError> {
    load(store, merchant, hash).await.map_err(|none| match none {
        NoBundle::Store(error) => PublishError::Store(error),
        NoBundle::Broken(reason) => PublishError::Pack(reason),
        NoBundle::Unpublished => PublishError::Pack("there is no such bundle".to_owned()),
    })
}

/// Compiled bundles that need not be active, by merchant and hash.
type Earlier = HashMap<(MerchantId, String), Arc<Bundle>>;

/// The compiled bundles that an instance caches.
#[derive(Debug, Clone)]
pub(crate) struct Bundles {
    kept: Arc<Mutex<HashMap<MerchantId, Kept>>>,
    /// Bundles that judged entries of a history that is another one now, or a hold that is captured.
    /// They stay valid, since the bundle of a hash never changes.
    earlier: Arc<Mutex<Earlier>>,
    pub(crate) age_max: Duration,
}

#[derive(Debug, Clone)]
struct Kept {
    bundle: Arc<Bundle>,
    asked: Instant,
}

impl Default for Bundles {
    fn default() -> Bundles {
        Bundles { kept: Arc::default(), earlier: Arc::default(), age_max: AGE_MAX }
    }
}

impl Bundles {
    pub(crate) async fn active(
        &self,
        store: &Store,
        merchant: &MerchantId,
    ) -> Result<Arc<Bundle>, NoBundle> {
        let kept = self.lock().get(merchant).cloned();
        if let Some(kept) = &kept
            && kept.asked.elapsed() < self.age_max
        {
            return Ok(Arc::clone(&kept.bundle));
        }
        let asked = Instant::now();
        let hash = store.active_bundle(merchant).await.map_err(NoBundle::Store)?;
        let hash = hash.ok_or(NoBundle::Unpublished)?;
        let bundle = match kept {
            Some(kept) if kept.bundle.hash().as_str() == hash => kept.bundle,
            _ => Arc::new(load(store, merchant, &hash).await?),
        };
        let mut kept = self.lock();
        if kept.len() >= MERCHANTS_MAX && !kept.contains_key(merchant) {
            kept.clear();
        }
        kept.insert(merchant.clone(), Kept { bundle: Arc::clone(&bundle), asked });
        Ok(bundle)
    }

    pub(crate) async fn of(
        &self,
        store: &Store,
        merchant: &MerchantId,
        hash: &str,
    ) -> Result<Arc<Bundle>, NoBundle> {
        let active = self.lock().get(merchant).map(|kept| Arc::clone(&kept.bundle));
        if let Some(active) = active.filter(|active| active.hash().as_str() == hash) {
            return Ok(active);
        }
        let name = (merchant.clone(), hash.to_owned());
        let known = |earlier: &Mutex<Earlier>| {
            earlier.lock().unwrap_or_else(PoisonError::into_inner).get(&name).map(Arc::clone)
        };
        if let Some(known) = known(&self.earlier) {
            return Ok(known);
        }
        let bundle = Arc::new(load(store, merchant, hash).await?);
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if earlier.len() >= MERCHANTS_MAX {
            earlier.clear();
        }
        earlier.insert(name, Arc::clone(&bundle));
        Ok(bundle)
    }

    /// The earlier bundles of a merchant that are cached.
    pub(crate) fn earlier(&self, merchant: &MerchantId) -> EarlierRules {
        let earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let own = earlier.iter().filter(|((of, _), _)| of == merchant);
        own.map(|((_, hash), bundle)| (hash.clone(), Arc::clone(bundle))).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<MerchantId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sources of a stored bundle.
///
/// # Errors
/// They cannot be unpacked.
pub fn sources_of(stored: &StoredBundle) -> Result<Sources, PublishError> {
    unpack(&stored.body).map_err(|error| {
        PublishError::Pack(format!("bundle {} cannot be unpacked: {error}", stored.hash))
    })
}

async fn load(store: &Store, merchant: &MerchantId, hash: &str) -> Result<Bundle, NoBundle> {
    let stored = store.bundle(merchant, hash).await.map_err(NoBundle::Store)?;
    let stored =
        stored.ok_or_else(|| NoBundle::Broken(format!("the active bundle {hash} is not there")))?;
    let sources = sources_of(&stored).map_err(|error| NoBundle::Broken(error.to_string()))?;
    let bundle = Bundle::published(merchant, &sources)
        .map_err(|rejection| NoBundle::Broken(rejection.to_string()))?;
    if bundle.hash().as_str() != hash {
        return Err(NoBundle::Broken(format!("bundle {hash} does not hash to its name")));
    }
    Ok(bundle)
}
