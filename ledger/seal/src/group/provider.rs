//! What the library is lent for one step: the caller's storage and the caller's randomness.
//!
//! The library asks for a provider of storage, cryptography and chance. Storage is whatever the caller passes, so that
//! group state shares a transaction with the caller's own rows; chance is the caller's generator. Two things stay the
//! library's own: the ephemeral keys of its public-key encryption come from the operating system, since it offers no
//! other way in, and large commits are encrypted on several threads.

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;

use openmls::storage::StorageProvider;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::random::OpenMlsRand;

use crate::Chance;

/// Lent for one step, or for a few within one transaction.
pub struct Provider<'a, S> {
    storage: &'a S,
    crypto: RustCrypto,
    chance: RefCell<&'a mut Chance<'a>>,
}

impl<'a, S> Provider<'a, S> {
    /// Lends storage and randomness.
    #[must_use]
    pub fn new(storage: &'a S, chance: &'a mut Chance<'a>) -> Self {
        Self {
            storage,
            crypto: RustCrypto::default(),
            chance: RefCell::new(chance),
        }
    }

    /// Draws from the caller's generator.
    pub(super) fn draw<const N: usize>(&self) -> [u8; N] {
        crate::draw(&mut **self.chance.borrow_mut())
    }
}

impl<S> fmt::Debug for Provider<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider(..)")
    }
}

impl<S> OpenMlsRand for Provider<'_, S> {
    type Error = Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Infallible> {
        Ok(self.draw())
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Infallible> {
        let mut bytes = vec![0; len];
        (self.chance.borrow_mut())(&mut bytes);
        Ok(bytes)
    }
}

impl<S: StorageProvider> OpenMlsProvider for Provider<'_, S> {
    type CryptoProvider = RustCrypto;
    type RandProvider = Self;
    type StorageProvider = S;

    fn storage(&self) -> &S {
        self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &Self {
        self
    }
}
