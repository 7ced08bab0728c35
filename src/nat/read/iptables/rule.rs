//! One rule line to steps.

use super::options::{self, Given, is_basic, protocol_number};
use super::tokens::{Token, tokenize};
use super::{matches, opaque, span, targets};
use crate::nat::model::{Field, PacketEnd, Step, TableBuilder, Values};

/// Reads rule lines, keeping its buffers from line to line.
pub(super) struct RuleReader<'a> {
    tokens: Vec<Token<'a>>,
    steps: Vec<Step>,
}

/// A match module or the target, with the words it was loaded by.
struct Module<'a> {
    kind: Kind,
    name: &'a str,
    options: Vec<Given<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Match,
    Jump,
    Goto,
}

// === impl RuleReader ===

impl<'a> RuleReader<'a> {
    pub(super) const fn new() -> Self {
        Self {
            tokens: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Adds the rule of a line; `false` when the line is no rule. A rule that cannot be taken apart
    /// still stands in its chain, as a doubt.
    pub(super) fn read(&mut self, builder: &mut TableBuilder, text: &str, line: &'a str) -> bool {
        let complete = tokenize(line, &mut self.tokens);
        let counters = self
            .tokens
            .first()
            .is_some_and(|token| token.text.starts_with('['));
        let [command, chain, rest @ ..] = &self.tokens[usize::from(counters)..] else {
            return false;
        };
        if !(command.is("-A") || command.is("--append")) {
            return false;
        }
        self.steps.clear();
        if !complete || parse(builder, rest, &mut self.steps).is_none() {
            opaque(line, &mut self.steps);
        }
        let chain = builder.chain(chain.text, None);
        builder.rule(chain, span(text, line), &mut self.steps);
        true
    }
}

/// Turns the words behind `-A CHAIN` into steps; none when they cannot be taken apart.
fn parse<'a>(builder: &TableBuilder, tokens: &'a [Token<'a>], steps: &mut Vec<Step>) -> Option<()> {
    let mut modules: Vec<Module<'a>> = Vec::with_capacity(4);
    let mut protocol = None;
    let mut at = 0;
    while at < tokens.len() {
        let negated = tokens[at].is("!");
        at += usize::from(negated);
        let option = tokens.get(at).filter(|token| token.is_option())?;
        let args = arguments(&tokens[at + 1..]);
        at += 1 + args.len();
        match option.text {
            "-m" | "--match" | "-j" | "--jump" | "-g" | "--goto" => {
                let (name, more) = args.split_first()?;
                if !more.is_empty() {
                    return None;
                }
                modules.push(Module {
                    kind: match option.text {
                        "-m" | "--match" => Kind::Match,
                        "-j" | "--jump" => Kind::Jump,
                        _ => Kind::Goto,
                    },
                    name: name.text,
                    options: Vec::new(),
                });
            }
            name if is_basic(name) => {
                let given = Given {
                    negated,
                    name,
                    args,
                };
                if matches!(name, "-p" | "--protocol" | "--proto") {
                    protocol = given.first();
                }
                basic(given, steps)?;
            }
            name => {
                let given = Given {
                    negated,
                    name,
                    args,
                };
                owner(&mut modules, name, protocol)?.options.push(given);
            }
        }
    }
    for module in &modules {
        if module.kind == Kind::Match
            && matches::read(module.name, &module.options, steps).is_none()
        {
            steps.push(Step::Doubt(module.text().into()));
        }
    }
    crate::nat::read::order(steps);
    for module in modules.iter().filter(|module| module.kind != Kind::Match) {
        let goto = module.kind == Kind::Goto;
        targets::read(builder, goto, module.name, &module.options, steps);
    }
    Some(())
}

/// The words up to the next option.
fn arguments<'a>(tokens: &'a [Token<'a>]) -> &'a [Token<'a>] {
    let end = tokens
        .iter()
        .position(|token| token.is_option() || token.is("!"));
    &tokens[..end.unwrap_or(tokens.len())]
}

/// The module that an option belongs to: the last one loaded that takes it, else the module of the
/// protocol, which need not be named (`-p tcp --dport 80`).
fn owner<'m, 'a>(
    modules: &'m mut Vec<Module<'a>>,
    option: &str,
    protocol: Option<&'a str>,
) -> Option<&'m mut Module<'a>> {
    let takes = |module: &Module<'_>| match module.kind {
        Kind::Match => options::takes(module.name, option),
        Kind::Jump | Kind::Goto => true,
    };
    let found = modules.iter().rposition(takes);
    if found.is_none() {
        modules.push(Module {
            kind: Kind::Match,
            name: protocol.filter(|name| options::takes(name, option))?,
            options: Vec::new(),
        });
    }
    match found {
        Some(position) => modules.get_mut(position),
        None => modules.last_mut(),
    }
}

fn basic(given: Given<'_>, steps: &mut Vec<Step>) -> Option<()> {
    let negated = given.negated;
    let test = |field, values| Step::test_unless(negated, field, values);
    let step = match given.name {
        "-s" | "--source" | "--src" | "-d" | "--destination" | "--dst" => {
            let (values, family) = options::network(given.first()?)?;
            let end = if given.name.trim_start_matches('-').starts_with('s') {
                PacketEnd::Source
            } else {
                PacketEnd::Destination
            };
            test(Field::Address(end, family), values)
        }
        "-p" | "--protocol" | "--proto" => {
            let number = protocol_number(given.first()?)?;
            if number == 0 {
                return Some(());
            }
            test(Field::Protocol, Values::one(number.into()))
        }
        "-i" | "--in-interface" => test(Field::InInterface, Values::interface(given.first()?)),
        "-o" | "--out-interface" => test(Field::OutInterface, Values::interface(given.first()?)),
        // The first packet of a connection is no later fragment.
        "-f" | "--fragment" if negated => return Some(()),
        "-f" | "--fragment" => Step::test(Field::Protocol, Values::none()),
        _ => return Some(()),
    };
    steps.push(step);
    Some(())
}

// === impl Module ===

impl Module<'_> {
    fn text(&self) -> String {
        let mut text = format!("-m {}", self.name);
        for option in &self.options {
            text.push_str(if option.negated { " ! " } else { " " });
            text.push_str(option.name);
            for arg in option.args {
                text.push(' ');
                text.push_str(arg.text);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables;
    use crate::nat::model::{Action, Backend, RuleVerdict, Step, TableFamily};

    /// The steps of the only rule, in their debug form.
    fn steps(rule: &str) -> Vec<String> {
        let tables = tables(&format!(
            "*nat\n:PREROUTING ACCEPT [0:0]\n:OTHER - [0:0]\n{rule}\nCOMMIT\n"
        ));
        let rule = tables[0]
            .chains
            .iter()
            .find_map(|chain| chain.rules.first());
        tables[0]
            .steps(rule.unwrap())
            .iter()
            .map(|step| format!("{step:?}"))
            .collect()
    }

    #[test]
    fn the_order_of_options_does_not_matter() {
        let saved = "-A PREROUTING -d 172.16.0.1/32 -p tcp -m comment --comment \"a/b:c cluster IP\" -m tcp --dport 80 -j OTHER";
        let typed = "[3:180] -A PREROUTING -m comment --comment x -m tcp -p tcp -d 172.16.0.1 --dport 80 -j OTHER";
        let implied = "-A PREROUTING -d 172.16.0.1 -p tcp --dport 80 -j OTHER";
        let mut all: Vec<_> = [saved, typed, implied].map(steps).into();
        for steps in &mut all {
            steps.sort();
        }
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
        assert_eq!(all[0].len(), 4);
    }

    #[test]
    fn what_is_not_known_becomes_a_doubt() {
        let found =
            steps("-A PREROUTING -p tcp -m weird --foo 1 ! --bar \"x y\" -d 10.0.0.1 -j OTHER");
        assert!(
            found
                .iter()
                .any(|step| step == r#"Doubt(Words("-m weird --foo 1 ! --bar x y"))"#),
            "{found:?}"
        );
        assert!(found.iter().any(|step| step.contains("Jump")));
        // Tests that can be decided come first.
        assert!(found[2].starts_with("Doubt"), "{found:?}");
        assert!(steps("-A PREROUTING -j NEWTARGET --x 1")[0].contains("Opaque"));
        assert!(steps("-A PREROUTING -s nonsense -j ACCEPT")[1].contains("Opaque"));
        assert!(steps("-A PREROUTING --comment \"open -j ACCEPT")[0].contains("Doubt"));
    }

    #[test]
    fn tables_headers_and_policies() {
        let text = "# Generated by ip6tables-save v1.8.9 on Sat Nov 21\n*filter\n:INPUT DROP [0:0]\n:X - [0:0]\n-A INPUT -j X\nCOMMIT\n# Completed\n";
        let tables = tables(text);
        assert_eq!(
            (tables[0].family, tables[0].backend),
            (TableFamily::Ip6, Backend::IptablesLegacy)
        );
        let input = tables[0].chain_named("INPUT").unwrap();
        assert!(input.base.is_some() && tables[0].chain_named("X").unwrap().base.is_none());
        let rule = &input.rules[0];
        assert_eq!(tables[0].text(rule), "-A INPUT -j X");
        assert!(matches!(
            tables[0].steps(rule),
            [Step::Act(Action::Verdict(RuleVerdict::Jump(_)))]
        ));
    }
}
