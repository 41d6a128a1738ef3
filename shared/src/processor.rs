//! What the processor of this computer is good at.

/// Whether it has instructions for AES: then AES-GCM is the cheapest cipher for footage on its way. Without them
/// (Raspberry Pi 4 and before) it is a slow one, and ChaCha20 is cheaper.
pub fn has_aes() -> bool {
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86", target_arch = "x86_64")))]
    return false;
}

#[cfg(all(test, target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_the_same() {
        let told = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let features = told.lines().find(|line| line.starts_with("flags") || line.starts_with("Features")).unwrap();
        assert_eq!(has_aes(), features.split_whitespace().any(|word| word == "aes"));
    }
}
