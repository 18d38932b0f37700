//! What the machine can do beyond what every machine of its kind can.

use fearless_simd::Level;

/// What the machine turned out to be able to do.
#[derive(Debug, Clone, Copy)]
pub struct Machine(Level);

impl Default for Machine {
    fn default() -> Self {
        Self(Level::new())
    }
}

impl Machine {
    /// Does work that is compiled for the machine, with whatever is inlined into it; so it is itself to be inlined.
    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    pub fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.0.as_avx2() {
            return fearless_simd::Simd::vectorize(avx2, work);
        }
        work()
    }
}
