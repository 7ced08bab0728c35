//! `sysctl -a`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let all = netpath::facts::Sysctls::read(text);
    let _ = all.number("net.ipv4.ip_forward");
    let _ = all.of_interface("net.ipv4.conf", "eth0", "rp_filter");
});
