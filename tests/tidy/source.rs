//! One source file as tidy sees it: its tokens without comments and literals, which of them are
//! test code, where it stands in the module tree, and every path it names.
//!
//! A small lexer and not a parser: it needs no crate, reads code that does not compile, and errs
//! towards naming too much. It does not expand macros.

use std::collections::BTreeSet;

/// A token of Rust, comments and the contents of literals left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// An identifier, `::`, one character of punctuation, or `"` for any literal text.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Inside an item under `#[cfg(test)]`.
    pub(crate) test: bool,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn is_ident(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// A path as the source names it: from the crate root when it begins with `crate`, else as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// `["crate", "io", "disk"]`; a glob ends in `*`.
    pub(crate) parts: Vec<String>,
    /// Where it stands, counted from 1.
    pub(crate) line: usize,
    /// Inside an item under `#[cfg(test)]`.
    pub(crate) test: bool,
    /// From a `use` declaration.
    pub(crate) imported: bool,
}

/// A file under a source folder.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the repository's root, `/`-separated.
    pub(crate) path: String,
    /// As read.
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut tokens = tokenize(text);
        mark_tests(&mut tokens);
        Self { path: path.to_owned(), text: text.to_owned(), tokens }
    }

    /// Marks the whole file as test code: its parent declares it under `#[cfg(test)]`.
    pub(crate) fn mark_as_test(&mut self) {
        for token in &mut self.tokens {
            token.test = true;
        }
    }

    /// Lines that are not inside an item under `#[cfg(test)]`.
    pub(crate) fn production_lines(&self) -> usize {
        let (mut tests, mut production) = (BTreeSet::new(), BTreeSet::new());
        for token in &self.tokens {
            if token.test {
                tests.insert(token.line)
            } else {
                production.insert(token.line)
            };
        }
        let Some(&first_test) = tests.first() else { return self.text.lines().count() };
        // Comments and blank lines have no tokens: they count unless they stand between test tokens.
        (1..=self.text.lines().count())
            .filter(|line| {
                production.contains(line) || *line < first_test || {
                    let before = tests.range(..=line).next_back().copied().unwrap_or(0);
                    production.range(..=line).next_back().is_some_and(|&production| production > before)
                }
            })
            .count()
    }

    /// Its place in the module tree: `src/core/download.rs` is `["core", "download"]`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("src/").map_or(self.path.as_str(), |(_, inside)| inside);
        let inside = inside.trim_end_matches(".rs");
        if inside == "lib" || inside == "main" {
            return Vec::new();
        }
        inside.split('/').map(str::to_owned).collect()
    }

    /// Names of the modules declared without a body under `#[cfg(test)]`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let declarations =
            self.tokens.windows(3).filter(|three| three[0].is("mod") && three[0].test && three[2].is(";"));
        declarations.map(|three| three[1].text.clone()).collect()
    }

    /// Files that `#[path]` attributes under `#[cfg(test)]` name.
    pub(crate) fn placed_tests(&self) -> Vec<String> {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let placed = self.text.lines().enumerate().filter_map(|(index, line)| {
            let file = line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")?;
            let test = self.tokens.iter().any(|token| token.line == index + 1 && token.test);
            test.then(|| format!("{folder}/{file}"))
        });
        placed.collect()
    }

    /// Every path with more than one part, and every import, `self` and `super` resolved.
    pub(crate) fn paths(&self) -> Vec<NamedPath> {
        let mut paths = Vec::new();
        let mut modules: Vec<(String, usize)> = self.module().into_iter().map(|name| (name, 0)).collect();
        let mut depth = 0;
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            let next = |offset: usize| self.tokens.get(at + offset);
            match token.text.as_str() {
                "mod" if next(2).is_some_and(|third| third.is("{")) => {
                    depth += 1;
                    modules.push((self.tokens[at + 1].text.clone(), depth));
                    at += 3;
                }
                "{" => {
                    depth += 1;
                    at += 1;
                }
                "}" => {
                    if modules.last().is_some_and(|&(_, opened)| opened == depth && depth > 0) {
                        modules.pop();
                    }
                    depth = depth.saturating_sub(1);
                    at += 1;
                }
                "use" if at == 0 || !self.tokens[at - 1].is("<") => {
                    let mut tree = UseTree { tokens: &self.tokens, at: at + 1, found: Vec::new() };
                    tree.read(&[]);
                    at = tree.at;
                    paths.extend(tree.found.into_iter().map(|parts| NamedPath {
                        parts: resolve(parts, &modules),
                        line: token.line,
                        test: token.test,
                        imported: true,
                    }));
                }
                _ if token.is_ident() && (at == 0 || !self.tokens[at - 1].is("::") || !self.continues(at)) => {
                    let mut parts = vec![token.text.clone()];
                    at += 1;
                    while self.tokens.get(at).is_some_and(|token| token.is("::"))
                        && self.tokens.get(at + 1).is_some_and(Token::is_ident)
                    {
                        parts.push(self.tokens[at + 1].text.clone());
                        at += 2;
                    }
                    if parts.len() > 1 {
                        let (line, test) = (token.line, token.test);
                        paths.push(NamedPath { parts: resolve(parts, &modules), line, test, imported: false });
                    }
                }
                _ => at += 1,
            }
        }
        paths
    }

    /// Whether the `::` before the token at `at` follows something, so that this is no path's start.
    fn continues(&self, at: usize) -> bool {
        at >= 2 && (self.tokens[at - 2].is_ident() || self.tokens[at - 2].is(">"))
    }
}

/// Reads the tree of one `use` declaration into the paths it names.
struct UseTree<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<Vec<String>>,
}

impl UseTree<'_> {
    /// One branch below `prefix`, up to and excluding `,`, `}` or `;`.
    fn read(&mut self, prefix: &[String]) {
        let mut parts = prefix.to_vec();
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                ";" | "," | "}" => break,
                "{" => {
                    self.at += 1;
                    while self.tokens.get(self.at).is_some_and(|token| !token.is("}") && !token.is(";")) {
                        self.read(&parts);
                        if self.tokens.get(self.at).is_some_and(|token| token.is(",")) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                // What follows is another name for the same thing.
                "as" => self.at += 2,
                "::" => self.at += 1,
                // `a::{self}` names `a`.
                "self" if !parts.is_empty() => self.at += 1,
                _ => {
                    parts.push(token.text.clone());
                    self.at += 1;
                }
            }
        }
        if parts.len() > prefix.len() || !parts.is_empty() {
            self.found.push(parts);
        }
    }
}

/// `self::x` and `super::super::x` from the crate root; other paths as they are.
fn resolve(parts: Vec<String>, modules: &[(String, usize)]) -> Vec<String> {
    if !matches!(parts[0].as_str(), "self" | "super") {
        return parts;
    }
    let mut place: Vec<String> = modules.iter().map(|(name, _)| name.clone()).collect();
    let mut rest = parts.as_slice();
    while let Some(first) = rest.first() {
        match first.as_str() {
            "self" => {}
            "super" => drop(place.pop()),
            _ => break,
        }
        rest = &rest[1..];
    }
    let mut resolved = vec!["crate".to_owned()];
    resolved.extend(place);
    resolved.extend(rest.iter().cloned());
    resolved
}

/// Tokens of `text`; also used to read the rules' own patterns.
pub(crate) fn tokenize(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        let mut word = None;
        if c == '/' && peek(at + 1) == '/' {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if c == '/' && peek(at + 1) == '*' {
            at = end_of_block_comment(&chars, at);
        } else if let Some(end) = end_of_text(&chars, at) {
            at = end;
            word = Some("\"".to_owned());
        } else if c == 'r' && peek(at + 1) == '#' && is_word(peek(at + 2)) {
            at += 2;
            let from = at;
            while is_word(peek(at)) {
                at += 1;
            }
            word = Some(chars[from..at].iter().collect());
        } else if is_word(c) {
            while is_word(peek(at)) {
                at += 1;
            }
            word = Some(chars[start..at].iter().collect());
        } else if c == '\'' {
            // A lifetime: a character literal is a text. Its name is nobody's path.
            at += 1;
            while is_word(peek(at)) {
                at += 1;
            }
        } else if c == ':' && peek(at + 1) == ':' {
            at += 2;
            word = Some("::".to_owned());
        } else {
            at += 1;
            if !c.is_whitespace() {
                word = Some(c.to_string());
            }
        }
        if let Some(text) = word {
            tokens.push(Token { text, line, test: false });
        }
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

/// One past a string, raw string, byte string or character literal that begins at `start`.
fn end_of_text(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    while matches!(chars.get(at), Some('b' | 'c')) && at < start + 1 {
        at += 1;
    }
    if chars.get(at) == Some(&'r') && matches!(chars.get(at + 1), Some('"' | '#')) {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        let open = at + 1 + hashes;
        if chars.get(open) != Some(&'"') {
            return None;
        }
        let closes = |end: &usize| chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        let end = (open + 1..chars.len()).filter(|end| chars[*end] == '"').find(closes)?;
        return Some(end + 1 + hashes);
    }
    let quote = *chars.get(at)?;
    if quote == '\'' {
        // 'x' or '\x..': anything else after the quote is a lifetime.
        let escaped = chars.get(at + 1) == Some(&'\\');
        if !escaped && chars.get(at + 2) != Some(&'\'') {
            return None;
        }
    } else if quote != '"' {
        return None;
    }
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    Some((end + 1).min(chars.len()))
}

/// Marks every item that `#[cfg(test)]` (alone or first within `all`) stands before.
fn mark_tests(tokens: &mut [Token]) {
    let texts: Vec<String> = tokens.iter().map(|token| token.text.clone()).collect();
    let starts_test = |at: usize| {
        let rest = &texts[at..];
        let is = |words: &[&str]| rest.len() >= words.len() && rest.iter().zip(words).all(|(have, want)| have == want);
        is(&["#", "[", "cfg", "(", "test", ")", "]"]) || is(&["#", "[", "cfg", "(", "all", "(", "test", ","])
    };
    let mut at = 0;
    while at < texts.len() {
        if !starts_test(at) {
            at += 1;
            continue;
        }
        let end = end_of_item(&texts, at);
        for token in &mut tokens[at..end] {
            token.test = true;
        }
        at = end;
    }
}

/// One past the item whose first attribute begins at `start`.
fn end_of_item(texts: &[String], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, text) in texts.iter().enumerate().skip(start) {
        match text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && text == "}" {
                    return at + 1;
                }
            }
            ";" | "," if depth == 0 => return at + 1,
            _ => {}
        }
    }
    texts.len()
}
