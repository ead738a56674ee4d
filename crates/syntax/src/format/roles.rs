//! What each token does: the same `-`, `|` or `<` stands for different things.

use super::tokens::{Kind, Token};

/// What a token does, as far as spacing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A name, a literal or a word of the language that ends an operand.
    Operand,
    /// A word that something follows.
    Keyword,
    /// Stands between two operands with a space on each side.
    Binary,
    /// Touches what follows: `-x`, `!x`, the first bar of a lambda.
    Prefix,
    /// Touches what precedes: the last bar of a lambda, `?` of a type.
    Postfix,
    /// Touches both sides: `.`, `..`.
    Tight,
    Comma,
    Colon,
    Open,
    /// An opening bracket that touches what precedes: a call's, an index's.
    OpenAttached,
    OpenBrace,
    Close,
    CloseBrace,
    Comment,
}

/// A token and its role.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'t> {
    pub(super) token: Token<'t>,
    pub(super) role: Role,
}

/// Words that an operand follows.
const KEYWORDS: &[&str] = &[
    "family", "part", "include", "param", "let", "require", "model", "block", "enum", "record", "fn", "repeat", "in",
    "if", "else", "match", "probe", "as", "because",
];

/// The state of one open bracket, or of the text outside all of them.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Whether `|` separates patterns here.
    is_match: bool,
    /// Whether a `match` waits for its brace.
    match_waits: bool,
    /// Whether a lambda's parameters are open.
    in_lambda: bool,
}

/// Gives each token its role.
pub(super) fn pieces<'t>(tokens: &[Token<'t>]) -> Vec<Piece<'t>> {
    let mut it = Reader { out: Vec::new(), levels: vec![Level::default()], angles: 0 };
    for token in tokens {
        it.read(*token);
    }
    it.out
}

struct Reader<'t> {
    out: Vec<Piece<'t>>,
    levels: Vec<Level>,
    /// Open `<` of types.
    angles: usize,
}

impl<'t> Reader<'t> {
    fn read(&mut self, token: Token<'t>) {
        let glued = (self.angles > 0 && token.is(">=")) || (self.level().in_lambda && token.is("||"));
        if glued {
            let (first, second) = token.text.split_at(1);
            self.read(Token { text: first, ..token });
            self.read(Token { text: second, start: token.start + 1, breaks: 0, adjacent: true, ..token });
            return;
        }
        let role = self.role(&token);
        self.out.push(Piece { token, role });
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// The `n`th token before this one, comments left out.
    fn before(&self, n: usize) -> Option<&Piece<'t>> {
        self.out.iter().rev().filter(|p| p.role != Role::Comment).nth(n)
    }

    /// Whether an operand ends just before.
    fn after_operand(&self) -> bool {
        self.before(0).is_some_and(|p| match p.role {
            Role::Operand | Role::Close | Role::CloseBrace => true,
            Role::Postfix => !p.token.is("|") && !p.token.is("||"),
            _ => false,
        })
    }

    fn role(&mut self, token: &Token<'t>) -> Role {
        match token.kind {
            Kind::Comment => Role::Comment,
            Kind::Number | Kind::Text => Role::Operand,
            Kind::Word if KEYWORDS.contains(&token.text) => {
                self.level().match_waits |= token.is("match");
                Role::Keyword
            }
            Kind::Word => Role::Operand,
            Kind::Symbol => self.symbol(token),
        }
    }

    fn symbol(&mut self, token: &Token<'t>) -> Role {
        match token.text {
            "(" | "[" => {
                let attached = self.is_attached(token);
                self.levels.push(Level::default());
                if attached { Role::OpenAttached } else { Role::Open }
            }
            "{" => {
                let is_match = std::mem::take(&mut self.level().match_waits);
                self.levels.push(Level { is_match, ..Level::default() });
                Role::OpenBrace
            }
            ")" | "]" | "}" => {
                self.levels.pop();
                if token.is("}") { Role::CloseBrace } else { Role::Close }
            }
            "," => Role::Comma,
            ":" => Role::Colon,
            "." | ".." => Role::Tight,
            "?" => Role::Postfix,
            "-" | "!" if !self.after_operand() => Role::Prefix,
            "|" | "||" => self.bar(token),
            "<" if self.opens_type() => {
                self.angles += 1;
                Role::OpenAttached
            }
            ">" if self.angles > 0 => {
                self.angles -= 1;
                Role::Close
            }
            _ => Role::Binary,
        }
    }

    fn bar(&mut self, token: &Token<'t>) -> Role {
        let after_operand = self.after_operand();
        if std::mem::take(&mut self.level().in_lambda) {
            return Role::Postfix;
        }
        let begins = !after_operand || (token.breaks > 0 && token.is("|") && !self.level().is_match);
        match (begins, token.text) {
            (true, "||") => Role::Keyword,
            (true, _) => {
                self.level().in_lambda = true;
                Role::Prefix
            }
            (false, _) => Role::Binary,
        }
    }

    /// A call's bracket touches its name in the source; a declaration's may, and a type's too.
    fn is_attached(&self, token: &Token<'t>) -> bool {
        let before = |n: usize, words: &[&str]| self.before(n).is_some_and(|p| words.iter().any(|w| p.token.is(w)));
        let declares = token.is("(") && before(1, &["block", "model", "fn"]);
        let typed = token.is("[") && before(0, &["ids"]) && before(1, &[":", "->", "(", ","]);
        self.after_operand() && (token.adjacent || declares || typed)
    }

    fn opens_type(&self) -> bool {
        let is = |n: usize, words: &[&str]| self.before(n).is_some_and(|p| words.iter().any(|w| p.token.is(w)));
        is(0, &["list"]) && is(1, &[":", "<", "->"])
    }
}
