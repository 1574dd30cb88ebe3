//! Pages: what a command found, as lines and tables. A page is written for a terminal, or as one HTML
//! file that needs nothing else.

use std::path::PathBuf;

use clap::Args;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::result::CommandResult;
use crate::show::table;

/// The width of the longest bar, in characters.
const BAR: u64 = 40;
/// The whole of a scale on which an interval is drawn.
pub(crate) const SCALE: u16 = 1000;

/// Where a report goes: as tables to a terminal, if nothing else is said.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the report as a page for a browser, in one file that needs nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
}

impl Output {
    /// Writes a report to where it goes.
    pub(crate) fn write(
        &self,
        title: &str,
        page: impl FnOnce() -> Page,
        json: impl FnOnce() -> CommandResult<String>,
    ) -> CommandResult {
        if self.json {
            say!("{}", json()?);
            return Ok(());
        }
        match &self.html {
            None => say!("{}", page().text()),
            Some(file) => {
                std::fs::write(file, page().html(title))
                    .map_err(|error| format!("`{}` cannot be written: {error}", file.display()))?;
                say!("{} is written", file.display());
            }
        }
        Ok(())
    }
}

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    sections: Vec<Section>,
}

#[derive(Debug)]
enum Section {
    Lines(Vec<String>),
    Sheet(Sheet),
}

/// A table with a title, which may be empty.
#[derive(Debug)]
pub(crate) struct Sheet {
    title: String,
    /// A head that begins with `#` makes a column of numbers.
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Debug)]
pub(crate) enum Cell {
    Text(String),
    Bar(Bar),
    Interval(Interval),
}

/// An interval with what is found in it, on a scale that has a zero: each in thousandths of the scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) least: u16,
    pub(crate) found: u16,
    pub(crate) most: u16,
    pub(crate) zero: u16,
}

/// A bar: a number as a part of the largest of its column, and what it was before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    pub(crate) was: Option<u64>,
    pub(crate) is: u64,
    pub(crate) most: u64,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<Bar> for Cell {
    fn from(bar: Bar) -> Cell {
        Cell::Bar(bar)
    }
}

impl From<Interval> for Cell {
    fn from(interval: Interval) -> Cell {
        Cell::Interval(interval)
    }
}

impl Interval {
    /// The interval in characters: `├──●──┤`, with `│` at zero.
    fn text(self) -> String {
        let place = |of: u16| u64::from(of) * (BAR - 1) / u64::from(SCALE);
        let (least, found, most) = (place(self.least), place(self.found), place(self.most));
        let zero = place(self.zero);
        let drawn = (0..BAR).map(|here| match here {
            here if here == found => '●',
            here if here == least => '├',
            here if here == most => '┤',
            here if here == zero => '│',
            here if (least..most).contains(&here) => '─',
            _ => ' ',
        });
        drawn.collect::<String>().trim_end().to_owned()
    }
}

impl Sheet {
    pub(crate) fn new<'a>(title: &str, heads: impl IntoIterator<Item = &'a str>) -> Sheet {
        let heads = heads.into_iter().map(str::to_owned).collect();
        Sheet { title: title.to_owned(), heads, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl Page {
    /// Adds a line to the last paragraph.
    pub(crate) fn line(&mut self, line: impl Into<String>) {
        match self.sections.last_mut() {
            Some(Section::Lines(lines)) => lines.push(line.into()),
            _ => self.sections.push(Section::Lines(vec![line.into()])),
        }
    }

    /// Begins a paragraph with a line.
    pub(crate) fn paragraph(&mut self, line: impl Into<String>) {
        self.sections.push(Section::Lines(vec![line.into()]));
    }

    pub(crate) fn sheet(&mut self, sheet: Sheet) {
        self.sections.push(Section::Sheet(sheet));
    }

    /// The page for a terminal.
    fn text(&self) -> String {
        let sections = self.sections.iter().map(|section| match section {
            Section::Lines(lines) => lines.join("\n"),
            Section::Sheet(Sheet { title, heads, rows }) => {
                let mut drawn = table(heads.iter().map(String::as_str));
                for row in rows {
                    drawn.add_row(row.iter().map(Cell::text));
                }
                if title.is_empty() { drawn.to_string() } else { format!("{title}\n{drawn}") }
            }
        });
        sections.collect::<Vec<_>>().join("\n\n")
    }

    /// The page as HTML.
    fn html(&self, title: &str) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    @for section in &self.sections { (section.html()) }
                }
            }
        };
        page.into_string()
    }
}

impl Section {
    fn html(&self) -> Markup {
        match self {
            Section::Lines(lines) => html! { @for line in lines { p { (line) } } },
            Section::Sheet(Sheet { title, heads, rows }) => {
                let is_number = |column: usize| {
                    heads.get(column).is_some_and(|head| head.starts_with('#')).then_some("number")
                };
                html! {
                    section {
                        @if !title.is_empty() { h2 { (title) } }
                        div class="wide" {
                            table {
                                thead { tr {
                                    @for (column, head) in heads.iter().enumerate() {
                                        th class=[is_number(column)] scope="col" {
                                            (head.trim_start_matches('#'))
                                        }
                                    }
                                } }
                                tbody { @for row in rows { tr {
                                    @for (column, cell) in row.iter().enumerate() {
                                        td class=[is_number(column)] { (cell.html()) }
                                    }
                                } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Interval(interval) => interval.text(),
            Cell::Bar(Bar { is, most, .. }) => {
                let length = is.saturating_mul(BAR).div_ceil((*most).max(1));
                "█".repeat(usize::try_from(length).unwrap_or_default())
            }
        }
    }

    fn html(&self) -> Markup {
        match self {
            Cell::Text(text) => html! { (text) },
            Cell::Interval(Interval { least, found, most, zero }) => {
                let at = |of: u16| format!("left: {}.{}%", of / 10, of % 10);
                let width = most.saturating_sub(*least);
                let line = format!("{}; width: {}.{}%", at(*least), width / 10, width % 10);
                html! {
                    div class="interval" {
                        div class="zero" style=(at(*zero)) {}
                        div class="line" style=(line) {}
                        div class="found" style=(at(*found)) {}
                    }
                }
            }
            Cell::Bar(Bar { was, is, most }) => {
                // In thousandths, so that a short bar is not lost.
                let width = |of: u64| {
                    let width = of.saturating_mul(1000) / (*most).max(1);
                    format!("width: {}.{}%", width / 10, width % 10)
                };
                html! {
                    @if let Some(was) = was {
                        div class="bar was" style=(width(*was)) title=(format!("old: {was}")) {}
                    }
                    div class="bar" style=(width(*is)) title=(format!("new: {is}")) {}
                }
            }
        }
    }
}

/// The style of all pages, in the reader's light or dark.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667085; --line: #d8dee8; --paper: #fff;
  --bar: #2f6fde; --was: #b8c4d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #97a3b6; --line: #323b4a;
  --paper: #141a22; --bar: #6ea1ff; --was: #4a5668; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; border-bottom-width: 2px; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:has(.bar) { min-width: 22rem; vertical-align: middle; }
.bar { height: .8rem; background: var(--bar); border-radius: 2px; min-width: 1px; }
td:has(.interval) { min-width: 22rem; vertical-align: middle; }
.interval { position: relative; height: 1rem; }
.interval div { position: absolute; }
.interval .zero { height: 1rem; border-left: 1px dashed var(--soft); }
.interval .line { top: .4rem; height: .2rem; background: var(--was); border-radius: 2px; }
.interval .found { top: .25rem; width: .5rem; height: .5rem; margin-left: -.25rem;
  border-radius: 50%; background: var(--bar); }
.bar.was { height: .35rem; background: var(--was); margin-bottom: 1px; }
";

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let mut page = Page::default();
        page.line("One line & another");
        let mut sheet = Sheet::new("By <rule>", ["rule", "#units", ""]);
        let bar = Bar { was: Some(5), is: 10, most: 20 };
        sheet.row([Cell::from("<b>"), "1,000".into(), bar.into()]);
        page.sheet(sheet);
        page
    }

    #[test]
    fn a_page_reads_the_same_on_a_terminal_and_in_a_browser() {
        let text = page().text();
        assert!(text.starts_with("One line & another\n\nBy <rule>\n"), "{text}");
        assert!(text.contains(&format!("<b>    1,000   {}", "█".repeat(20))), "{text}");
        let html = page().html("A page");
        for part in [
            "<p>One line &amp; another</p>",
            "<h2>By &lt;rule&gt;</h2>",
            "<td>&lt;b&gt;</td><td class=\"number\">1,000</td>",
            "<div class=\"bar\" style=\"width: 50.0%\" title=\"new: 10\">",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        // It loads nothing.
        assert!(!html.contains("http") && !html.contains("src="), "{html}");
    }
}
