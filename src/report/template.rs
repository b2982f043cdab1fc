//! Templates: built in or a file, with mistakes told by line.

use super::ReportError;
use super::context::{self, Context};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::path::Path;

/// The built-in templates by name.
pub static BUILT_IN: &[(&str, &str)] = &[("report", include_str!("../../assets/templates/report.md"))];

/// The built-in templates' names.
pub(super) fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// A template in the language of minijinja.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    name: String,
    source: String,
}

impl Default for Template {
    fn default() -> Self {
        let (name, source) = BUILT_IN[0];
        Template::new(name, source)
    }
}

impl Template {
    /// A template with a name for its mistakes.
    pub fn new(name: &str, source: &str) -> Self {
        let (name, source) = (name.to_string(), source.to_string());
        Template { name, source }
    }

    /// The built-in template of that name, or the file at that path, relative to the folder.
    pub fn find(word: &str, folder: &Path) -> Result<Self, ReportError> {
        if let Some((name, source)) = BUILT_IN.iter().find(|(name, _)| *name == word) {
            return Ok(Template::new(name, source));
        }
        let path = folder.join(word);
        let source = std::fs::read_to_string(&path)
            .map_err(|error| ReportError::NoTemplate { word: word.to_string(), reason: error.to_string() })?;
        Ok(Template::new(&path.display().to_string(), &source))
    }

    /// Finds, before there is anything to report, what would go wrong: syntax, and variables that
    /// do not exist.
    pub fn check(&self) -> Result<(), ReportError> {
        let environment = environment();
        let template = environment.template_from_named_str(&self.name, &self.source);
        let template = template.map_err(|error| self.mistake(&error))?;
        let known: Vec<&str> = context::VARIABLES.iter().map(|(name, _)| *name).collect();
        let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
        let unknown = |name: &String| {
            let name = name.as_str();
            !known.contains(&name) && !globals.contains(&name)
        };
        let mut unknown: Vec<String> =
            template.undeclared_variables(false).into_iter().filter(unknown).collect();
        unknown.sort();
        let Some(name) = unknown.into_iter().next() else {
            return Ok(());
        };
        let line = self.source.lines().position(|l| l.contains('{') && l.contains(&name));
        Err(ReportError::Template {
            name: self.name.clone(),
            line: line.map_or(1, |i| i + 1),
            message: format!("there is no variable `{name}`"),
        })
    }

    /// The report's words.
    pub fn render(&self, context: &Context) -> Result<String, ReportError> {
        self.check()?;
        let environment = environment();
        let context = minijinja::Value::from(minijinja::value::Serde(context));
        let rendered = environment.render_named_str(&self.name, &self.source, context);
        let mut markdown = rendered.map_err(|error| self.mistake(&error))?;
        markdown.truncate(markdown.trim_end().len());
        markdown.push('\n');
        Ok(markdown)
    }

    fn mistake(&self, error: &Error) -> ReportError {
        let line = error.line().unwrap_or(1);
        let words = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        let source = self.source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let mut message = format!("{words}\n    {}", source.trim());
        if error.kind() == ErrorKind::UndefinedError {
            let about = context::VARIABLES.iter().filter(|(name, _)| source.contains(name));
            about.for_each(|(name, holds)| message += &format!("\n  {name}: {holds}"));
        }
        ReportError::Template { name: self.name.clone(), line, message }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The context's words are escaped for Markdown already.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("minijinja's own delimiters are fit for use"));
    environment
}
