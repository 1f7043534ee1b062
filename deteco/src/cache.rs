//! Tokens that verified, so that a bearer who comes again costs no signature check.
//!
//! What is kept is who the bearer is, never what the bearer may do; and each hit is checked again, see
//! [`Verified::recheck`](token::Verified::recheck). The key is a hash of the whole token, signature and all.
//! Only a token that verified is kept, so nobody can fill it who has none.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::{Cache as Map, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter};

use crate::Identity;

/// Each has a lock of its own.
const SHARDS: usize = 4;
/// Below it one lock serves.
const SMALL: usize = 64 * SHARDS;

/// SHA-256 of a token.
pub(crate) type TokenHash = [u8; 32];

/// At most as many identities as it was made for.
pub struct Cache {
    map: Option<Map<TokenHash, Arc<Identity>>>,
}

impl Cache {
    /// For `size` tokens; 0 keeps none.
    pub fn new(size: usize) -> Self {
        let shards = if size < SMALL { 1 } else { SHARDS };
        let most = size / shards * shards; // each shard rounds its part up
        let options = OptionsBuilder::new()
            .estimated_items_capacity(most)
            .weight_capacity(most as u64)
            .shards(shards)
            .build()
            .expect("both capacities are set");
        let map = || {
            let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
            Map::with_options(options, UnitWeighter, hasher, lifecycle)
        };
        Cache { map: (size > 0).then(map) }
    }

    pub(crate) fn get(&self, token: &TokenHash) -> Option<Arc<Identity>> {
        self.map.as_ref()?.get(token)
    }

    pub(crate) fn insert(&self, token: TokenHash, identity: Arc<Identity>) {
        if let Some(map) = &self.map {
            map.insert(token, identity);
        }
    }

    pub(crate) fn remove(&self, token: &TokenHash) {
        if let Some(map) = &self.map {
            map.remove(token);
        }
    }

    /// How many there are now.
    pub fn len(&self) -> usize {
        self.map.as_ref().map_or(0, Map::len)
    }

    /// Whether there are none now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.len())
    }
}
