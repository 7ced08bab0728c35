//! Reading a family's file: as much Markdown as the entries use.

use super::Code;

/// A family of causes: the part of the path they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// `SVC`
    pub name: &'static str,
    /// `the Service object`
    pub about: &'static str,
    pub causes: Vec<Cause>,
}

/// One cause, as its entry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub code: Code,
    pub title: &'static str,
    /// Where the diagnosis sees it; none for a cause that nothing recognizes yet.
    pub visible: Option<&'static str>,
    pub sections: Vec<Section>,
}

/// A headed part of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub title: &'static str,
    pub blocks: Vec<Block>,
}

/// What a section is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph, in one line.
    Text(String),
    /// An entry of a list; an address stands without its angle brackets.
    Item(String),
    /// Lines to be copied as they are: commands, or a piece of a manifest.
    Verbatim(Vec<&'static str>),
}

const VISIBLE: &str = "Visible in: ";
const NOTHING: &str = "nothing yet";

// === impl Family ===

impl Family {
    pub(super) fn read(text: &'static str) -> Self {
        let (heading, entries) = text.split_once("\n## ").unwrap_or((text, ""));
        let heading = heading.trim().trim_start_matches("# ");
        let (name, about) = heading.split_once(": ").unwrap_or((heading, ""));
        let causes = entries.split("\n## ").filter_map(Cause::read).collect();
        Self {
            name,
            about,
            causes,
        }
    }
}

// === impl Cause ===

impl Cause {
    /// Whether the diagnosis can report it.
    #[must_use]
    pub const fn is_recognized(&self) -> bool {
        self.visible.is_some()
    }

    /// An entry from its code on. None if the code is not registered.
    fn read(entry: &'static str) -> Option<Self> {
        let (heading, rest) = entry.split_once('\n')?;
        let (code, title) = heading.split_once(' ')?;
        let (head, sections) = rest.split_once("\n### ").unwrap_or((rest, ""));
        let visible = head.trim().strip_prefix(VISIBLE)?;
        Some(Self {
            code: Code::parse(code)?,
            title,
            visible: (visible != NOTHING).then_some(visible),
            sections: sections.split("\n### ").map(Section::read).collect(),
        })
    }
}

// === impl Section ===

impl Section {
    fn read(text: &'static str) -> Self {
        let (title, body) = text.split_once('\n').unwrap_or((text, ""));
        Self {
            title,
            blocks: blocks(body),
        }
    }
}

fn blocks(body: &'static str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = body.lines();
    let mut paragraph = String::new();
    while let Some(line) = lines.next() {
        let item = line.strip_prefix("- ");
        let is_fence = line.starts_with("```");
        if (line.is_empty() || item.is_some() || is_fence) && !paragraph.is_empty() {
            blocks.push(Block::Text(std::mem::take(&mut paragraph)));
        }
        match item {
            _ if is_fence => {
                let inside = lines.by_ref().take_while(|line| !line.starts_with("```"));
                blocks.push(Block::Verbatim(inside.collect()));
            }
            Some(item) => blocks.push(Block::Item(item.trim_matches(['<', '>']).to_owned())),
            None if line.is_empty() => {}
            None => {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                // Terminals and roff get the words without the weight.
                paragraph.push_str(&line.replace("**", ""));
            }
        }
    }
    if !paragraph.is_empty() {
        blocks.push(Block::Text(paragraph));
    }
    blocks
}
