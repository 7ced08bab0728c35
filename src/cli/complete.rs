//! What can stand at the cursor: kubectl's protocol for the completion of plugins.
//!
//! ```text
//!  kubectl netpath … <TAB> ─► kubectl_complete-netpath … "" ─► kubectl netpath __complete … ""
//!                          ◄─ NAME<TAB>about, one a line, and at last :DIRECTIVE
//! ```
//!
//! Source: kubectl 1.26, `pkg/cmd/plugin/plugin_completion.go`; the directives are those of Cobra.

use clap::{Arg, ArgAction, Args as _, Command, CommandFactory, FromArgMatches as _};

use super::Cli;
use crate::causes::{causes, families};
use crate::cluster::live::KubeArgs;
use crate::demo::DEMOS;
use crate::target::Kind;

/// One thing that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub text: String,
    pub about: String,
}

/// What is wanted at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One of these; more may follow on the same word if it `is_open`.
    Words {
        words: Vec<Candidate>,
        is_open: bool,
    },
    /// An end: words that begin one, and the names of objects.
    End {
        kind: Kind,
        /// The namespace in the word itself.
        namespace: Option<String>,
        /// What comes before the name in the word.
        prefix: String,
        words: Vec<Candidate>,
    },
    Namespaces,
    Files,
    Folders,
    Nothing,
}

/// Finds what fits behind `words`; the last one is being typed.
#[must_use]
pub fn wanted(words: &[String]) -> Wanted {
    let (typed, before) = words
        .split_last()
        .map_or(("", &[][..]), |(typed, before)| (typed.as_str(), before));
    let mut root = Cli::command();
    root.build();
    let Cursor {
        command,
        position,
        open,
    } = place(&root, before);
    if let Some(flag) = open {
        return value_of(flag);
    }
    if let Some((name, _)) = typed
        .strip_prefix("--")
        .and_then(|rest| rest.split_once('='))
    {
        // Words before `=` are kept by the shell.
        return long(command, name).map_or(Wanted::Nothing, |flag| match value_of(flag) {
            Wanted::Words { words, is_open } => Wanted::Words {
                words: prefixed(words, &format!("--{name}=")),
                is_open,
            },
            _ => Wanted::Nothing,
        });
    }
    if typed.starts_with('-') {
        return Wanted::Words {
            words: flags(command),
            is_open: false,
        };
    }
    let argument = command.get_positionals().nth(position);
    match argument.map(|argument| argument.get_id().as_str()) {
        Some("source" | "destination") => {
            let mut end = end(typed);
            if let Wanted::End { words, .. } = &mut end
                && position == 0
                && !typed.contains('/')
            {
                words.extend(subcommands(command));
            }
            end
        }
        Some(_) => argument.map_or(Wanted::Nothing, value_of),
        None => Wanted::Nothing,
    }
}

/// Who and where to ask, from flags that may be incomplete.
#[must_use]
pub fn cluster_of(words: &[String]) -> KubeArgs {
    let lenient = Command::new("netpath")
        .no_binary_name(true)
        .ignore_errors(true)
        .arg(Arg::new("rest").num_args(0..));
    let matches = KubeArgs::augment_args(lenient).get_matches_from(words);
    KubeArgs::from_arg_matches(&matches).unwrap_or_default()
}

// === impl Candidate ===

impl Candidate {
    pub(crate) fn new(text: impl Into<String>, about: &str) -> Self {
        Self {
            text: text.into(),
            about: about.lines().next().unwrap_or_default().to_owned(),
        }
    }
}

/// Where the cursor stands: in which command, behind how many of its arguments, or behind a flag
/// that wants a value.
struct Cursor<'a> {
    command: &'a Command,
    position: usize,
    open: Option<&'a Arg>,
}

fn place<'a>(root: &'a Command, before: &[String]) -> Cursor<'a> {
    let mut place = Cursor {
        command: root,
        position: 0,
        open: None,
    };
    for word in before {
        if place.open.take().is_some() {
            continue;
        }
        if let Some(name) = word.strip_prefix("--") {
            place.open = long(place.command, name).filter(|flag| takes_value(flag));
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            // `-n` wants the next word; `-nshop` has its value.
            let mut letters = letters.chars();
            let flag = letters
                .next()
                .and_then(|letter| short(place.command, letter));
            place.open = flag.filter(|flag| takes_value(flag) && letters.next().is_none());
        } else if place.position == 0
            && let Some(sub) = place.command.find_subcommand(word)
        {
            place.command = sub;
        } else {
            place.position += 1;
        }
    }
    place
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(name))
}

fn short(command: &Command, letter: char) -> Option<&Arg> {
    command
        .get_arguments()
        .find(|argument| argument.get_short() == Some(letter))
}

fn takes_value(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append)
}

fn flags(command: &Command) -> Vec<Candidate> {
    let visible = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let named = visible.filter_map(|argument| {
        let about = argument.get_help().map(ToString::to_string);
        Some(Candidate::new(
            format!("--{}", argument.get_long()?),
            &about.unwrap_or_default(),
        ))
    });
    named.collect()
}

fn subcommands(command: &Command) -> Vec<Candidate> {
    let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    visible
        .map(|sub| {
            let about = sub.get_about().map(ToString::to_string);
            Candidate::new(sub.get_name(), &about.unwrap_or_default())
        })
        .collect()
}

/// What the value of an argument can be, by its possible values or by what its name says it is.
fn value_of(argument: &Arg) -> Wanted {
    let words = |words: Vec<Candidate>| Wanted::Words {
        words,
        is_open: false,
    };
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        let values = possible.iter().map(|value| {
            let about = value.get_help().map(ToString::to_string);
            Candidate::new(value.get_name(), &about.unwrap_or_default())
        });
        return words(values.collect());
    }
    let value = argument.get_value_names().and_then(<[_]>::first);
    match (
        argument.get_id().as_str(),
        value.map(clap::builder::Str::as_str),
    ) {
        ("name", _) => words(
            DEMOS
                .iter()
                .map(|demo| Candidate::new(demo.name, demo.about))
                .collect(),
        ),
        ("code", _) => {
            let families = families()
                .iter()
                .map(|family| Candidate::new(family.name, family.about));
            let causes = causes()
                .filter(|cause| cause.is_recognized())
                .map(|cause| Candidate::new(cause.code.as_str(), cause.title));
            words(families.chain(causes).collect())
        }
        ("protocol", _) => words(
            ["tcp", "udp", "sctp"]
                .map(|name| Candidate::new(name, ""))
                .into(),
        ),
        ("dir", _) => Wanted::Folders,
        (_, Some("NAMESPACE")) => Wanted::Namespaces,
        (_, Some("FILE" | "FILE.json" | "PATH" | "SUITE")) => Wanted::Files,
        _ => Wanted::Nothing,
    }
}

/// `KIND/NAME` and `NAMESPACE/KIND/NAME` in any stage of being typed.
fn end(typed: &str) -> Wanted {
    let parts: Vec<&str> = typed.split('/').collect();
    let (namespace, kind) = match parts.as_slice() {
        [_] => (None, Some(Kind::Pod)),
        [kind, _] => (None, Kind::parse(kind)),
        [namespace, kind, _] => (Some((*namespace).to_owned()), Kind::parse(kind)),
        _ => (None, None),
    };
    let kinds = |prefix: &str| -> Vec<Candidate> {
        let kinds = Kind::ALL.iter().map(|kind| {
            let about = kind.resource().kind();
            Candidate::new(format!("{prefix}{}/", kind.short()), about)
        });
        kinds.collect()
    };
    match (kind, parts.as_slice()) {
        (Some(kind), _) => {
            let prefix = typed.rsplit_once('/');
            let prefix = prefix.map_or_else(String::new, |(prefix, _)| format!("{prefix}/"));
            let words = if parts.len() == 1 {
                let others = [
                    ("ip/", "an address"),
                    ("dns/", "a name to look up"),
                    ("external", "a client outside the cluster"),
                ];
                let others = others.map(|(text, about)| Candidate::new(text, about));
                [kinds(""), others.to_vec()].concat()
            } else {
                Vec::new()
            };
            Wanted::End {
                kind,
                namespace,
                prefix,
                words,
            }
        }
        // The first part may be a namespace.
        (None, [namespace, _]) if !["ip", "dns", "external"].contains(namespace) => Wanted::Words {
            words: kinds(&format!("{namespace}/")),
            is_open: true,
        },
        _ => Wanted::Nothing,
    }
}

fn prefixed(words: Vec<Candidate>, prefix: &str) -> Vec<Candidate> {
    let words = words.into_iter();
    words
        .map(|word| Candidate::new(format!("{prefix}{}", word.text), &word.about))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Wanted {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        wanted(&words)
    }

    fn texts(wanted: Wanted) -> Vec<String> {
        match wanted {
            Wanted::Words { words, .. } | Wanted::End { words, .. } => {
                words.into_iter().map(|word| word.text).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_place_of_the_line_knows_what_fits() {
        for (line, fits, fits_not) in [
            ("", "svc/", "--port"),
            ("", "demo", "agent"),
            ("a ", "ip/", "demo"),
            ("a svc/b --", "--no-probe", "--list"),
            ("demo --", "--list", "--no-probe"),
            ("demo ", "forgot-dns", "svc/"),
            ("explain ", "SVC-01", "svc/"),
            ("a b -o ", "wide", "svc/"),
            ("a b --output=", "--output=yaml", "svc/"),
            ("a b --protocol ", "udp", "wide"),
            ("-n shop ", "svc/", "wide"),
            ("completion ", "zsh", "svc/"),
            ("data/", "data/svc/", "svc/"),
            ("policy ", "svc/", "demo"),
        ] {
            let found = texts(at(line));
            assert!(found.iter().any(|text| text == fits), "{line:?}: {found:?}");
            assert!(
                !found.iter().any(|text| text == fits_not),
                "{line:?}: {found:?}"
            );
        }
    }

    #[test]
    fn names_are_asked_for_where_they_belong() {
        let end = |kind, namespace: Option<&str>, prefix: &str| {
            (kind, namespace.map(str::to_owned), prefix.to_owned())
        };
        for (line, expected) in [
            ("cli", end(Kind::Pod, None, "")),
            ("a services/a", end(Kind::Service, None, "services/")),
            ("a data/svc/", end(Kind::Service, Some("data"), "data/svc/")),
            (
                "--context prod deploy/",
                end(Kind::Deployment, None, "deploy/"),
            ),
        ] {
            match at(line) {
                Wanted::End {
                    kind,
                    namespace,
                    prefix,
                    ..
                } => {
                    assert_eq!((kind, namespace, prefix), expected, "{line:?}");
                }
                other => panic!("{line:?}: {other:?}"),
            }
        }
        assert_eq!(at("a b -n "), Wanted::Namespaces);
        assert_eq!(at("a b --snapshot "), Wanted::Files);
        assert_eq!(at("snapshot "), Wanted::Folders);
        assert_eq!(at("a b c"), Wanted::Nothing);
        assert_eq!(at("a dns/"), Wanted::Nothing);
    }

    #[test]
    fn half_a_command_line_still_says_where_to_ask() {
        let words =
            ["a", "-n", "shop", "--context=prod", "--no-such", "svc/", ""].map(str::to_owned);
        let kube = cluster_of(&words);
        assert_eq!(kube.namespace.as_deref(), Some("shop"));
        assert_eq!(kube.context.as_deref(), Some("prod"));
    }
}
