//! Templates: built in or a file, with mistakes told by line.

use super::ReportError;
use super::context::{self, Context};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::path::{Path, PathBuf};

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
    /// Others in its folder, which it may include or extend, by the names of their files.
    others: Vec<(String, String)>,
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
        Template { name, source, others: Vec::new() }
    }

    /// The template of that word among folders of templates, the first that has it: `<word>.md` for
    /// a built-in name, which it overrides, or a file called as the path's. Without one, what
    /// [`Template::find`] finds.
    pub fn among(word: &str, folders: &[PathBuf]) -> Result<Self, ReportError> {
        let built_in = names().contains(&word);
        let own = if built_in { None } else { Template::find(word, Path::new("")).ok() };
        let file = match built_in {
            true => Path::new(word).with_extension("md"),
            false => Path::new(word).file_name().unwrap_or_default().into(),
        };
        let read = |folder: &PathBuf| {
            let path = folder.join(&file);
            std::fs::read_to_string(&path)
                .ok()
                .map(|source| Template::new(&path.display().to_string(), &source))
        };
        let overriding = folders.iter().find_map(read);
        let mut template = match own.or(overriding) {
            Some(template) => template,
            None => Template::find(word, Path::new(""))?,
        };
        template.others = folders.iter().flat_map(|folder| files_of(folder)).collect();
        Ok(template)
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

    /// The templates it can include or extend, by the names of their files.
    pub fn others(&self) -> &[(String, String)] {
        &self.others
    }

    /// What it says.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn environment(&self) -> Result<Environment<'_>, ReportError> {
        let mut environment = environment();
        for (name, source) in self.others.iter().rev() {
            let wrong = |error: Error| Template::new(name, source).mistake(&error);
            environment.add_template(name, source).map_err(wrong)?;
        }
        Ok(environment)
    }

    /// Finds, before there is anything to report, what would go wrong: syntax, and variables that
    /// do not exist.
    pub fn check(&self) -> Result<(), ReportError> {
        let environment = self.environment()?;
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
        let environment = self.environment()?;
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
            _ if error.kind() == ErrorKind::OutOfFuel => {
                "it goes on and on, or writes without end".to_string()
            }
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

/// The templates in a folder, by their names.
fn files_of(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.to_string();
        Some((name, std::fs::read_to_string(path).ok()?))
    };
    paths.iter().filter_map(read).collect()
}

/// What a template may do: so many instructions, or 64 times as many bytes. Every table of a large run written out cell
/// by cell takes a tenth of it.
const FUEL: u64 = 20_000_000;

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The context's words are escaped for Markdown already.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // What is included ends its line, as files do.
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("minijinja's own delimiters are fit for use"));
    environment
}
