//! Tokens to an expression: how primitives are joined. What a primitive is stands in `primitive.rs`.
//!
//! The grammar is nfdump 1.7.1's. Nested parentheses are frames on a heap vector, so that no depth overflows the
//! stack, and every token is looked at a bounded number of times.

use crate::ast::{Expr, ExprBuilder};
use crate::error::{FilterError, FilterErrorKind, WORD};
use crate::label;
use crate::lex::{Sources, Token, TokenKind, lex};
use crate::list::Entries;
use crate::options::ParseOptions;
use crate::value::Value;
use crate::vocabulary;
use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;

/// The longest label nfdump attaches.
const MAX_LABEL: usize = 16;

/// Parses a filter; one of blanks and comments matches every flow.
pub(crate) fn parse(text: &str, options: &ParseOptions<'_>) -> Result<Expr, FilterError> {
    let (tokens, sources) = lex(text, options)?;
    let mut parser = Parser {
        tokens: &tokens,
        sources: &sources,
        options,
        at: 0,
        build: ExprBuilder::default(),
        geo: None,
        own: None,
        first_label: None,
        names: BTreeMap::new(),
        lists: BTreeMap::new(),
    };
    if parser.peek().kind == TokenKind::End {
        return Ok(Expr::constant(true));
    }
    let root = parser.expression()?;
    if let Some(token) = parser.geo {
        return Err(parser.error(FilterErrorKind::Geo, token, token));
    }
    if let Some(token) = parser.own {
        return Err(parser.error(FilterErrorKind::Networks, token, token));
    }
    let first_label = parser.first_label;
    let expr = parser.build.finish(root);
    match (label::levels(&expr)[expr.root()], first_label) {
        (Some(levels), Some(token)) if levels > label::MAX_LEVELS => {
            let kind = FilterErrorKind::Value("Labels are nested too deep");
            Err(FilterError::new(kind, sources.place(token, token), None))
        }
        _ => Ok(expr),
    }
}

/// What stands between two parentheses, so far.
#[derive(Default)]
struct Frame {
    /// Operands of the disjunction.
    either: Vec<usize>,
    /// Operands of the conjunction that is open.
    both: Vec<usize>,
    /// An odd number of `not` stands before the next operand.
    negate: bool,
    /// An odd number of `not` stands before the parenthesis and those around it.
    inverted: bool,
    /// The label before the parenthesis.
    label: Option<Token>,
}

impl Frame {
    fn operand(&mut self, operand: usize, build: &mut ExprBuilder) {
        let operand = if mem::take(&mut self.negate) { build.not(operand) } else { operand };
        self.both.push(operand);
    }

    fn close_conjunction(&mut self, build: &mut ExprBuilder) {
        let operands = mem::take(&mut self.both);
        self.either.push(build.and(operands));
    }

    fn close(mut self, build: &mut ExprBuilder) -> usize {
        self.close_conjunction(build);
        build.or(self.either)
    }
}

pub(crate) struct Parser<'p, 't> {
    tokens: &'p [Token],
    pub(crate) sources: &'p Sources<'t>,
    pub(crate) options: &'p ParseOptions<'p>,
    at: usize,
    pub(crate) build: ExprBuilder,
    /// The first word that needs a geo location database.
    pub(crate) geo: Option<Token>,
    /// The first word that needs to know one's own networks.
    pub(crate) own: Option<Token>,
    /// The first label.
    first_label: Option<Token>,
    /// The host names that were looked up, with their addresses.
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    /// The list files that were read.
    pub(crate) lists: BTreeMap<(String, Entries), Value>,
}

impl Parser<'_, '_> {
    fn expression(&mut self) -> Result<usize, FilterError> {
        let mut frame = Frame::default();
        let mut outer: Vec<Frame> = Vec::new();
        loop {
            // Before an operand.
            match self.peek().kind {
                TokenKind::Not => {
                    self.advance();
                    frame.negate = !frame.negate;
                    continue;
                }
                TokenKind::Open => {
                    self.advance();
                    let inverted = frame.inverted != frame.negate;
                    outer.push(mem::replace(&mut frame, Frame { inverted, ..Frame::default() }));
                    continue;
                }
                TokenKind::Percent => {
                    let label = self.label()?;
                    if self.peek().kind != TokenKind::Open {
                        return Err(self.unexpected("`(` after the label"));
                    }
                    self.advance();
                    let inverted = frame.inverted != frame.negate;
                    let inner = Frame { inverted, label: Some(label), ..Frame::default() };
                    outer.push(mem::replace(&mut frame, inner));
                    continue;
                }
                _ => {}
            }
            let operand = self.primitive(frame.inverted != frame.negate)?;
            frame.operand(operand, &mut self.build);
            // After an operand.
            loop {
                match self.peek().kind {
                    TokenKind::And => {
                        self.advance();
                        break;
                    }
                    TokenKind::Or => {
                        self.advance();
                        frame.close_conjunction(&mut self.build);
                        break;
                    }
                    TokenKind::Close => {
                        let Some(around) = outer.pop() else {
                            return Err(self.unexpected("`and`, `or` or the end"));
                        };
                        self.advance();
                        let inner = mem::replace(&mut frame, around);
                        let label = match inner.label {
                            None if self.peek().kind == TokenKind::Percent => Some(self.label()?),
                            label => label,
                        };
                        let operand = inner.close(&mut self.build);
                        if let Some(label) = label {
                            self.build.label(operand, self.sources.text(label));
                        }
                        frame.operand(operand, &mut self.build);
                    }
                    TokenKind::End if outer.is_empty() => return Ok(frame.close(&mut self.build)),
                    TokenKind::End => return Err(self.unexpected("`)`")),
                    _ => return Err(self.unexpected("`and`, `or` or the end")),
                }
            }
        }
    }

    /// Takes `%name`.
    fn label(&mut self) -> Result<Token, FilterError> {
        self.advance();
        let name = self.expect_word("a label")?;
        if self.text(name).len() > MAX_LABEL {
            return Err(self.value_error("Error: Maximum 16 chars allowed for flowlabel", name));
        }
        self.first_label.get_or_insert(name);
        Ok(name)
    }

    /// The next token, not taken yet.
    pub(crate) fn peek(&self) -> Token {
        self.tokens[self.at]
    }

    /// The token `distance` after the next one; the end repeats.
    pub(crate) fn ahead(&self, distance: usize) -> Token {
        self.tokens[(self.at + distance).min(self.tokens.len() - 1)]
    }

    /// Takes the next token; the end can be taken any number of times.
    pub(crate) fn advance(&mut self) -> Token {
        let token = self.peek();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    /// The token taken last.
    pub(crate) fn last(&self) -> Token {
        self.tokens[self.at.saturating_sub(1)]
    }

    pub(crate) fn text(&self, token: Token) -> &str {
        self.sources.text(token)
    }

    /// Whether `token` is the word `word`, in either case.
    pub(crate) fn is(&self, token: Token, word: &str) -> bool {
        matches!(token.kind, TokenKind::Keyword | TokenKind::Word)
            && self.text(token).eq_ignore_ascii_case(word)
    }

    /// Takes a word that is no keyword.
    pub(crate) fn expect_word(&mut self, expected: &'static str) -> Result<Token, FilterError> {
        match self.peek().kind {
            TokenKind::Word => Ok(self.advance()),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Takes a number.
    pub(crate) fn expect_number(&mut self, expected: &'static str) -> Result<(u64, Token), FilterError> {
        match self.peek().kind {
            TokenKind::Number(number) => Ok((number, self.advance())),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// The next token cannot stand here.
    pub(crate) fn unexpected(&self, expected: &'static str) -> FilterError {
        self.unexpected_at(self.peek(), expected)
    }

    /// `token` cannot stand where it does.
    pub(crate) fn unexpected_at(&self, token: Token, expected: &'static str) -> FilterError {
        let hint = self.hint(token, expected);
        let place = self.sources.place(token, token);
        FilterError::new(FilterErrorKind::Syntax { expected }, place, hint)
    }

    /// `cause` is a value that is not taken; nothing was read after it.
    pub(crate) fn value_error(&self, message: &'static str, cause: Token) -> FilterError {
        self.error(FilterErrorKind::Value(message), cause, cause)
    }

    /// Something is wrong with `cause`, noticed when `last` had been read.
    pub(crate) fn error(&self, kind: FilterErrorKind, last: Token, cause: Token) -> FilterError {
        FilterError::new(kind, self.sources.place(last, cause), None)
    }

    /// What somebody who wrote `token` here may have meant.
    fn hint(&self, token: Token, expected: &'static str) -> Option<String> {
        let text = self.text(token);
        if text == "!" || self.is(token, "ne") {
            return Some("there is no `!=`: write `not` before the primitive".to_string());
        }
        if expected != WORD {
            return None;
        }
        match token.kind {
            TokenKind::Word if flow_model::protocol_by_name(text).is_some() => {
                Some(format!("did you mean `proto {text}`?"))
            }
            TokenKind::Word if matches!(crate::address::read(text), crate::address::Spelling::Full(_)) => {
                let net = self.tokens.get(self.at + 1).is_some_and(|next| next.kind == TokenKind::Slash);
                Some(format!("did you mean `{} {text}`?", if net { "net" } else { "ip" }))
            }
            TokenKind::Word => vocabulary::nearest(text).map(|known| format!("did you mean `{known}`?")),
            _ => None,
        }
    }
}
