//! A Corefile without what its plugins log in with.

/// Plugins that hold no secret. Of others the name is kept: that they are there matters, what they are
/// told is nobody's business.
const PLAIN: &[&str] = &[
    "acl",
    "any",
    "autopath",
    "bind",
    "bufsize",
    "cache",
    "cancel",
    "debug",
    "dns64",
    "errors",
    "file",
    "auto",
    "forward",
    "header",
    "health",
    "hosts",
    "import",
    "k8s_external",
    "kubernetes",
    "lighthouse",
    "loadbalance",
    "local",
    "log",
    "loop",
    "metadata",
    "minimal",
    "multicluster",
    "nsid",
    "prometheus",
    "ready",
    "reload",
    "rewrite",
    "root",
    "template",
    "view",
    "whoami",
];

/// Cuts comments, and what plugins that are not known to hold no secret are told. The text stands
/// within so many blocks.
pub(super) fn without_credentials(text: &str, within: usize) -> String {
    let mut kept = String::with_capacity(text.len());
    // How many braces are open, and below which of them nothing is kept.
    let (mut depth, mut cut): (usize, Option<usize>) = (within, None);
    for line in text.lines() {
        let content = without_comment(line);
        let mut words = content.split_whitespace();
        let first = words.next().unwrap_or_default();
        let opens = content
            .split_whitespace()
            .filter(|word| word.ends_with('{'))
            .count();
        let closes = content
            .split_whitespace()
            .filter(|word| word.starts_with('}'))
            .count();
        let is_plugin = depth == 1 && !first.starts_with('}');
        match cut {
            Some(_) => {}
            None if is_plugin && !PLAIN.contains(&first) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                kept.push_str(&format!("{indent}{first}\n"));
                cut = (opens > closes).then_some(depth);
            }
            None => {
                kept.push_str(content.trim_end());
                kept.push('\n');
            }
        }
        depth = (depth + opens).saturating_sub(closes);
        if cut.is_some_and(|at| depth <= at) {
            cut = None;
        }
    }
    kept
}

/// A `#` begins a comment where a word could begin.
fn without_comment(line: &str) -> &str {
    let starts = line.match_indices('#').map(|(at, _)| at);
    let mut starts = starts.filter(|at| line[..*at].chars().last().is_none_or(char::is_whitespace));
    starts.next().map_or(line, |at| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_logs_in_is_cut_and_what_leads_names_stays() {
        let text = "\
# owner: SECRET
.:53 {
    errors # SECRET
    route53 example.com.:Z1 {
        aws_access_key AKIA SECRET
        nested {
            more SECRET
        }
    }
    etcd x { credentials me SECRET }
    tsig {
        secret a. SECRET
    }
    kubernetes cluster.local {
        pods insecure
    }
    forward . 1.1.1.1
}
other.example {
    mystery SECRET
    hosts {
        10.0.0.1 a
    }
}
";
        let kept = without_credentials(text, 0);
        assert!(!kept.contains("SECRET"), "{kept}");
        for line in [
            "    route53\n",
            "    etcd\n",
            "        pods insecure\n",
            "    forward . 1.1.1.1\n}\n",
            "    mystery\n    hosts {\n        10.0.0.1 a\n    }\n}\n",
        ] {
            assert!(kept.contains(line), "{line:?} in {kept}");
        }
        let plain = ".:53 {\n    ready\n    cache 30\n}\n";
        assert_eq!(without_credentials(plain, 0), plain);
        let part = "errors\nmystery SECRET\nforward . 1.1.1.1\n";
        let kept = without_credentials(part, 1);
        assert_eq!(kept, "errors\nmystery\nforward . 1.1.1.1\n");
    }
}
