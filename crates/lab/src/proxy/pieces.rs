//! Cutting big inputs into pieces.
//!
//! Netfilter takes a change as one netlink message, which may be as long as the socket's send buffer;
//! only the system's own root may make that longer (SO_SNDBUFFORCE), the root of a user namespace may
//! not. What fits goes in one piece, as kube-proxy sends it.

/// How many lines surely fit: 212,992 bytes, doubled by the kernel, some 500 for a rule.
const FIT: usize = 400;

/// Pieces of an input of `iptables-restore --noflush`: chains before the rules that name them.
pub fn restore(input: &str) -> Vec<String> {
    if input.lines().count() <= FIT {
        return vec![input.to_owned()];
    }
    let mut pieces = Vec::new();
    for table in input
        .split("COMMIT\n")
        .filter(|table| !table.trim().is_empty())
    {
        let (head, body) = table.split_once('\n').unwrap_or((table, ""));
        let (chains, rules): (Vec<&str>, Vec<&str>) =
            body.lines().partition(|line| line.starts_with(':'));
        for lines in chains.chunks(FIT).chain(rules.chunks(FIT)) {
            pieces.push(format!("{head}\n{}\nCOMMIT\n", lines.join("\n")));
        }
    }
    pieces
}

/// Pieces of an input of `nft -f`, which is in the right order already.
pub fn nft(lines: &[String]) -> Vec<String> {
    lines
        .chunks(FIT)
        .map(|lines| lines.join("\n") + "\n")
        .collect()
}
