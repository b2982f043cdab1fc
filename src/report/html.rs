//! The report as one page that asks nothing of any server: the same words and drawings, and
//! attention maps that can be pointed at.

use crate::figures::attention_map::KIND;
use crate::figures::heads::name;
use crate::figures::tables::{grouped, numbers};
use crate::figures::text::{escape_xml, printable, token};
use crate::figures::{FigureError, file_stem};
use crate::record::{Analysis, Record};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::{Value, json};

const STYLE: &str = include_str!("../../assets/html/report.css");
const SCRIPT: &str = include_str!("../../assets/html/report.js");
/// Whatever a template may hold: nothing is fetched.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// A report's Markdown and figures as one page; maps come from the record.
pub fn page(record: &Record, markdown: &str, figures: &[(String, String)]) -> String {
    let mut maps: Vec<(String, String)> = record
        .analyses
        .iter()
        .filter(|analysis| analysis.probe == KIND.name)
        .filter_map(|analysis| Some((file_stem(&analysis.id), map(analysis).ok().flatten()?)))
        .collect();
    let mut alternative = false;
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Image { dest_url, .. }) => {
            let file = dest_url.strip_prefix("figures/").unwrap_or(&dest_url);
            let figure = figures.iter().find(|(name, _)| name == file);
            alternative = figure.is_some();
            let Some((file, svg)) = figure else { return Some(Event::Text(CowStr::from(""))) };
            // Before the first drawing of a map comes the map itself.
            let of_file = |(stem, _): &(String, String)| {
                file.strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with('-'))
            };
            let live = maps.iter().position(of_file).map(|at| maps.remove(at).1).unwrap_or_default();
            Some(Event::InlineHtml(CowStr::from(format!("{live}{svg}"))))
        }
        // The drawing has its title in itself.
        Event::Text(_) if alternative => None,
        Event::End(TagEnd::Image) => {
            alternative = false;
            None
        }
        event => Some(event),
    });
    let mut body = String::new();
    html::push_html(&mut body, events);
    let title = escape_xml(&printable(&record.name));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// The patterns of an analysis, for the script: tokens as they are shown, shares to four places.
fn map(analysis: &Analysis) -> Result<Option<String>, FigureError> {
    let (Some(tokens), Some(pattern)) = (analysis.table("tokens"), analysis.table("pattern")) else {
        return Ok(None);
    };
    let mut shown: Vec<(f64, String)> = tokens
        .numbers("position")
        .into_iter()
        .zip(tokens.column("token").map(|cell| token(cell.text().unwrap_or("?"), 40)))
        .collect();
    shown.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = numbers(pattern, ["layer", "head", "query", "key", "attention"])?.into_iter();
    let rows = grouped(rows.map(|[layer, head, query, key, share]| ([layer, head, query], (key, share))));
    let mut heads = Vec::new();
    for of_head in rows.chunk_by(|a, b| a.0[..2] == b.0[..2]) {
        let mut shares: Vec<Vec<Value>> = (1..=shown.len()).map(|n| vec![Value::Null; n]).collect();
        for ([_, _, query], cells) in of_head {
            let row = usize::try_from(*query).ok().and_then(|query| shares.get_mut(query));
            let Some(row) = row else { continue };
            for (key, share) in cells.iter().filter(|cell| cell.0 >= 0.0) {
                if let Some(cell) = row.get_mut(*key as usize) {
                    *cell = json!((share * 1e4).round() / 1e4);
                }
            }
        }
        let [layer, head, _] = of_head[0].0;
        heads.push(json!({ "name": name([layer, head]), "pattern": shares }));
    }
    if heads.is_empty() || shown.is_empty() {
        return Ok(None);
    }
    let tokens: Vec<String> = shown.into_iter().map(|(_, token)| token).collect();
    let data = json!({ "id": analysis.id, "tokens": tokens, "heads": heads }).to_string();
    // Nothing in it can end the element it stands in.
    let data = data.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let data = data.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    Ok(Some(format!("<div class=\"attention\"><script type=\"application/json\">{data}</script></div>")))
}
