//! kubectl-netpath-causes(7): the whole registry of causes as a manual page.

use crate::causes::{Block, Cause, causes, families};

/// The page in roff.
pub(super) fn render() -> Vec<u8> {
    let mut lines = vec![
        ".TH kubectl-netpath-causes 7 \"\" \"kubectl-netpath\"".to_owned(),
        ".SH NAME".to_owned(),
        "kubectl\\-netpath\\-causes \\- every cause that kubectl netpath can name".to_owned(),
        ".SH DESCRIPTION".to_owned(),
        "The code of a cause stays the same over releases.".to_owned(),
        "\\fBkubectl netpath explain CODE\\fR prints one entry.".to_owned(),
        "Hints are not proved: a probe or the state of a node confirms them.".to_owned(),
    ];
    for family in families() {
        let recognized = family.causes.iter().filter(|cause| cause.is_recognized());
        let entries: Vec<String> = recognized.flat_map(entry).collect();
        if !entries.is_empty() {
            let about = roff(&family.about.to_uppercase());
            lines.push(format!(".SH {}: {about}", family.name));
            lines.extend(entries);
        }
    }
    lines.push(".SH NOT RECOGNIZED YET".to_owned());
    lines.push("These causes are described and kubectl netpath does not report them.".to_owned());
    for cause in causes().filter(|cause| !cause.is_recognized()) {
        lines.extend(entry(cause));
    }
    lines.push(String::new());
    lines.join("\n").into_bytes()
}

fn entry(cause: &Cause) -> Vec<String> {
    let (code, title) = (roff(cause.code.as_str()), roff(cause.title));
    let mut lines = vec![format!(".SS \"{code} {title}\"")];
    if let Some(places) = cause.visible {
        lines.push(format!("Visible in: {places}"));
    }
    for section in &cause.sections {
        lines.push(".PP".to_owned());
        lines.push(format!("\\fB{}\\fR", roff(section.title)));
        for block in &section.blocks {
            lines.extend(self::block(block));
        }
    }
    lines
}

fn block(block: &Block) -> Vec<String> {
    match block {
        Block::Text(text) => vec![".PP".to_owned(), roff(text)],
        Block::Item(item) => vec![".br".to_owned(), roff(item)],
        Block::Verbatim(verbatim) => {
            let begin = [".PP", ".RS 4", ".nf"].map(str::to_owned);
            let end = [".fi", ".RE"].map(str::to_owned);
            let lines = verbatim.iter().map(|line| roff(line));
            begin.into_iter().chain(lines).chain(end).collect()
        }
    }
}

/// Escapes text for roff: backslashes, hyphens, and dots or quotes that would begin a request.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) {
        format!("\\&{escaped}")
    } else {
        escaped
    }
}
