//! A page to draw on, in CSS pixels from the top left, written as SVG by plotters.
//!
//! Shapes are collected first and drawn at the end, so drawing code has no errors to pass on.
//! plotters' coordinates are whole numbers: the page is drawn `FINE` times larger than it is
//! shown. Every text is placed by hand and never measured by a font: plotters without a font
//! only guesses, and so do we (see [`super::text::width`]), generously.

use super::{FigureError, text};
use plotters::prelude::{DrawingBackend, FontTransform, RGBColor, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle};

/// Units of the drawing to a CSS pixel.
const FINE: f64 = 10.0;
/// Says in the file who drew it, so that a later report may replace it.
pub const MARK: &str = "<!-- a figure of indhead -->";

/// A colour, red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Where a text's anchor lies along its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins there.
    Start,
    /// The text's middle is there.
    Middle,
    /// The text ends there.
    End,
}

/// How a text looks. Its anchor is always at half the height of its line.
#[derive(Debug, Clone, Copy)]
pub struct Type {
    /// The size of the letters in pixels.
    pub size: f64,
    /// Their colour.
    pub colour: Colour,
    /// Bold or regular.
    pub bold: bool,
    /// Monospaced, as tokens are, or proportional.
    pub mono: bool,
    /// Where the anchor is.
    pub anchor: Anchor,
    /// Written upwards instead of to the right.
    pub upward: bool,
}

impl Type {
    /// Dark regular letters that begin at their anchor.
    pub fn new(size: f64) -> Self {
        Type {
            size,
            colour: super::colour::INK,
            bold: false,
            mono: false,
            anchor: Anchor::Start,
            upward: false,
        }
    }

    /// The same with another anchor.
    pub fn anchor(self, anchor: Anchor) -> Self {
        Type { anchor, ..self }
    }

    /// The same in another colour.
    pub fn colour(self, colour: Colour) -> Self {
        Type { colour, ..self }
    }
}

enum Shape {
    Line(Vec<(f64, f64)>, f64, Colour, f64),
    Dashes(Vec<(f64, f64)>, f64, Colour),
    Rect([f64; 4], Colour),
    Area(Vec<(f64, f64)>, Colour, f64),
    Dot(f64, f64, f64, Colour),
    Text(f64, f64, String, Type),
}

/// A page on which shapes lie in the order in which they were added.
pub struct Canvas {
    width: f64,
    height: f64,
    shapes: Vec<Shape>,
}

impl Canvas {
    /// A white page.
    pub fn new(width: f64, height: f64) -> Self {
        let mut canvas = Canvas {
            width: width.clamp(1.0, 20_000.0).ceil(),
            height: height.clamp(1.0, 20_000.0).ceil(),
            shapes: Vec::new(),
        };
        canvas.rect(0.0, 0.0, width, height, super::colour::PAPER);
        canvas
    }

    /// A line through the points.
    pub fn line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour) {
        self.faint_line(points, width, colour, 1.0);
    }

    /// A line that lets through what lies under it.
    pub fn faint_line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour, opacity: f64) {
        if points.len() > 1 {
            let line = Shape::Line(points.to_vec(), width, colour, opacity);
            self.shapes.push(line);
        }
    }

    /// A dashed straight line.
    pub fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Colour) {
        let points = vec![from, to];
        self.shapes.push(Shape::Dashes(points, width, colour));
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: Colour) {
        self.shapes.push(Shape::Rect([x, y, width, height], colour));
    }

    /// A filled shape that lets through what lies under it.
    pub fn area(&mut self, corners: &[(f64, f64)], colour: Colour, opacity: f64) {
        if corners.len() > 2 {
            self.shapes.push(Shape::Area(corners.to_vec(), colour, opacity));
        }
    }

    /// The outline of a rectangle.
    pub fn outline(&mut self, [x, y, w, h]: [f64; 4], width: f64, colour: Colour) {
        let corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)];
        self.line(&corners, width, colour);
    }

    /// A filled circle.
    pub fn dot(&mut self, x: f64, y: f64, radius: f64, colour: Colour) {
        self.shapes.push(Shape::Dot(x, y, radius, colour));
    }

    /// A text; characters that SVG cannot hold are made visible.
    pub fn text(&mut self, x: f64, y: f64, words: &str, style: Type) {
        let words = text::printable(words);
        if !words.is_empty() {
            self.shapes.push(Shape::Text(x, y, words, style));
        }
    }

    /// The SVG, with a title for those who cannot see it.
    pub fn finish(self, title: &str) -> Result<String, FigureError> {
        let mut svg = String::new();
        {
            let size = (unit(self.width) as u32, unit(self.height) as u32);
            let mut backend = SVGBackend::with_string(&mut svg, size);
            for shape in &self.shapes {
                draw(&mut backend, shape)?;
            }
            backend.present().map_err(FigureError::drawing)?;
        }
        Ok(self.tidy(&svg, title))
    }
}

/// A length in the drawing's units; nothing on a page is a million pixels away.
fn unit(x: f64) -> i32 {
    (x.clamp(-1e6, 1e6) * FINE).round() as i32
}

/// plotters divides every size by 1.24 before it writes it: this comes out as what was meant.
fn before_division(size: f64) -> f64 {
    let near = size * 1.24;
    let exact = [near, near.next_down(), near.next_up()].into_iter().find(|x| x / 1.24 == size);
    exact.unwrap_or(near)
}

fn style(colour: Colour, opacity: f64, width: f64) -> ShapeStyle {
    let Colour(r, g, b) = colour;
    ShapeStyle {
        color: RGBColor(r, g, b).mix(opacity),
        filled: true,
        stroke_width: unit(width).max(1) as u32,
    }
}

fn draw(backend: &mut SVGBackend, shape: &Shape) -> Result<(), FigureError> {
    let fine = |&(x, y): &(f64, f64)| (unit(x), unit(y));
    let drawn = match shape {
        Shape::Line(points, width, colour, opacity) => {
            backend.draw_path(points.iter().map(fine), &style(*colour, *opacity, *width))
        }
        Shape::Dashes(points, width, colour) => {
            backend.draw_path(points.iter().map(fine), &style(*colour, 1.0, *width))
        }
        Shape::Rect([x, y, w, h], colour) => {
            let (from, to) = (fine(&(*x, *y)), fine(&(x + w, y + h)));
            backend.draw_rect(from, to, &style(*colour, 1.0, 1.0), true)
        }
        Shape::Area(corners, colour, opacity) => {
            backend.fill_polygon(corners.iter().map(fine), &style(*colour, *opacity, 1.0))
        }
        Shape::Dot(x, y, radius, colour) => {
            let radius = unit(*radius).max(1) as u32;
            backend.draw_circle(fine(&(*x, *y)), radius, &style(*colour, 1.0, 1.0), true)
        }
        Shape::Text(x, y, words, t) => {
            let family = match t.mono {
                true => FontFamily::Name("Menlo, Consolas, DejaVu Sans Mono, monospace"),
                false => FontFamily::Name("Helvetica, Arial, sans-serif"),
            };
            let weight = if t.bold { FontStyle::Bold } else { FontStyle::Normal };
            let anchor = match t.anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let turn = if t.upward { FontTransform::Rotate270 } else { FontTransform::None };
            let font = FontDesc::new(family, before_division(t.size * FINE), weight);
            let font = font.transform(turn);
            let Colour(r, g, b) = t.colour;
            let ink = RGBColor(r, g, b);
            let face = plotters::style::TextStyle::from(font).color(&ink).pos(Pos::new(anchor, VPos::Center));
            backend.draw_text(words, &face, fine(&(*x, *y)))
        }
    };
    drawn.map_err(FigureError::drawing)
}

impl Canvas {
    /// plotters' output without the attributes that repeat a default, with what plotters has no
    /// word for (dashes, a size in CSS pixels, a title), and each text on one line: the line ends
    /// plotters puts around it are spaces to some. Every shape is one element, in their order.
    fn tidy(&self, svg: &str, title: &str) -> String {
        let (width, height) = (self.width, self.height);
        let mut tidy = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {} {}\" role=\"img\" stroke-linejoin=\"round\">\n{MARK}\n\
             <title>{}</title>\n<style>rect {{ shape-rendering: crispEdges }}</style>\n",
            unit(width),
            unit(height),
            text::escape_xml(&text::printable(title)),
        );
        let mut lines = svg.lines().skip(1); // <svg …>
        for shape in &self.shapes {
            // Within a text, quotes are written `&quot;`: these can only be attributes.
            let line = lines.next().unwrap_or_default().replace(" opacity=\"1\"", "");
            let line = line.replace(" stroke=\"none\"", "");
            match shape {
                Shape::Text(..) => {
                    tidy.push_str(&line);
                    tidy.extend(lines.by_ref().take(2));
                }
                Shape::Dashes(..) => {
                    tidy.push_str(&line.replace("/>", " stroke-dasharray=\"50 30\"/>"));
                }
                _ => tidy.push_str(&line),
            }
            tidy.push('\n');
        }
        tidy.push_str("</svg>\n");
        tidy
    }
}
