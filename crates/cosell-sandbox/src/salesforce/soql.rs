//! SOQL: its parser. The subset is what a connector asks: fields and parents of one object, conditions, order, limit.

use std::ops::Range;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

/// A parsed query.
#[derive(Debug, PartialEq)]
pub struct Query {
    /// Dotted paths; empty for `COUNT()`.
    pub fields: Vec<Vec<String>>,
    /// `SELECT COUNT()`.
    pub count: bool,
    /// The object.
    pub from: String,
    /// `WHERE`.
    pub condition: Option<Condition>,
    /// `ORDER BY`.
    pub order: Vec<Order>,
    /// `LIMIT`.
    pub limit: Option<usize>,
    /// `OFFSET`.
    pub offset: usize,
}

/// A condition.
#[derive(Debug, PartialEq)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// One holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A field against literals.
    Compare {
        /// The field's path.
        field: Vec<String>,
        /// The comparison.
        operator: Operator,
        /// One literal, or the list of IN, NOT IN, INCLUDES and EXCLUDES.
        literals: Vec<Literal>,
    },
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is SOQL's own word")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    In,
    NotIn,
    Includes,
    Excludes,
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// Quoted text, unescaped.
    Text(String),
    /// A number, as written.
    Number(f64),
    /// `2026-11-22`
    Date(Date),
    /// `2026-11-22T10:00:00Z`
    Datetime(Timestamp),
    /// `TODAY`, `LAST_N_DAYS:30`, `THIS_QUARTER` and the like: the days that they stand for.
    Days(Range<Date>),
}

/// A key of the order.
#[derive(Debug, PartialEq)]
pub struct Order {
    /// The field's path.
    pub field: Vec<String>,
    /// `DESC`.
    pub descending: bool,
    /// `NULLS LAST`.
    pub nulls_last: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

/// Parses a query or says what is malformed.
pub fn parse(text: &str, today: Date) -> Result<Query, String> {
    let mut parser = Parser { tokens: tokens(text)?, position: 0, today };
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(format!("unexpected token: {}", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("'{word}'"),
        Token::Text(_) => "a string".to_owned(),
        Token::Symbol(symbol) => format!("'{symbol}'"),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SYMBOLS: [&str; 10] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","];
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '\'' {
            let (value, after) = quoted(&rest[1..])?;
            found.push(Token::Text(value));
            rest = after;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            found.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let word = |letter: char| letter.is_alphanumeric() || "_.:+-".contains(letter);
            let end = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("line 1: no viable alternative at character '{first}'"));
            }
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Ok(found)
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((value, &text[index + 1..])),
            '\\' => match letters.next().map(|(_, escaped)| escaped) {
                Some('n' | 'N') => value.push('\n'),
                Some('r' | 'R') => value.push('\r'),
                Some('t' | 'T') => value.push('\t'),
                Some(escaped @ ('\'' | '"' | '\\' | '_' | '%')) => value.push(escaped),
                _ => return Err("Illegal string literal: invalid escape sequence".to_owned()),
            },
            letter => value.push(letter),
        }
    }
    Err("Illegal string literal: not closed".to_owned())
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
    today: Date,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn next(&mut self) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or_else(|| "unexpected token: '<EOF>'".to_owned())?;
        self.position += 1;
        Ok(token)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.position + ahead), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.position += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.position += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), String> {
        if self.take_word(word) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "'<EOF>'".to_owned(), shown);
        Err(format!("unexpected token: {found}, expected {word}"))
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), String> {
        if self.take_symbol(symbol) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "'<EOF>'".to_owned(), shown);
        Err(format!("unexpected token: {found}, expected '{symbol}'"))
    }

    fn path(&mut self) -> Result<Vec<String>, String> {
        let token = self.next()?;
        let Token::Word(word) = &token else { return Err(format!("unexpected token: {}", shown(&token))) };
        let parts: Vec<String> = word.split('.').map(str::to_owned).collect();
        let name = |part: &String| {
            part.chars().next().is_some_and(char::is_alphabetic)
                && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        };
        if parts.iter().all(name) { Ok(parts) } else { Err(format!("unexpected token: '{word}'")) }
    }

    fn query(&mut self) -> Result<Query, String> {
        self.expect_word("SELECT")?;
        let mut fields = Vec::new();
        let count = self.is_word(0, "COUNT") && self.tokens.get(self.position + 1) == Some(&Token::Symbol("("));
        if count {
            self.position += 1;
            self.expect_symbol("(")?;
            self.expect_symbol(")")?;
        } else {
            fields.push(self.path()?);
            while self.take_symbol(",") {
                fields.push(self.path()?);
            }
        }
        self.expect_word("FROM")?;
        let from = self.path()?.join(".");
        let condition = if self.take_word("WHERE") { Some(self.alternatives()?) } else { None };
        let mut order = Vec::new();
        if self.take_word("ORDER") {
            self.expect_word("BY")?;
            order.push(self.order()?);
            while self.take_symbol(",") {
                order.push(self.order()?);
            }
        }
        let limit = if self.take_word("LIMIT") { Some(self.number()?) } else { None };
        let offset = if self.take_word("OFFSET") { self.number()? } else { 0 };
        Ok(Query { fields, count, from, condition, order, limit, offset })
    }

    fn number(&mut self) -> Result<usize, String> {
        match self.next()? {
            Token::Word(word) => word.parse().map_err(|_| format!("unexpected token: '{word}'")),
            token => Err(format!("unexpected token: {}", shown(&token))),
        }
    }

    fn order(&mut self) -> Result<Order, String> {
        let field = self.path()?;
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        let mut nulls_last = false;
        if self.take_word("NULLS") {
            nulls_last = self.take_word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order { field, descending, nulls_last })
    }

    /// One level of AND, OR or NOT: SOQL refuses to mix them without parentheses.
    fn alternatives(&mut self) -> Result<Condition, String> {
        let condition = if self.take_word("NOT") {
            Condition::Not(Box::new(self.term()?))
        } else {
            let first = self.term()?;
            let word = ["AND", "OR"].into_iter().find(|word| self.is_word(0, word));
            let Some(word) = word else { return Ok(first) };
            let mut terms = vec![first];
            while self.take_word(word) {
                terms.push(self.term()?);
            }
            if word == "AND" { Condition::And(terms) } else { Condition::Or(terms) }
        };
        match self.peek() {
            Some(token @ Token::Word(word)) if ["AND", "OR"].iter().any(|other| word.eq_ignore_ascii_case(other)) => {
                Err(format!("unexpected token: {}", shown(token)))
            }
            _ => Ok(condition),
        }
    }

    fn term(&mut self) -> Result<Condition, String> {
        if self.is_word(0, "NOT") {
            return Err("unexpected token: 'NOT'".to_owned());
        }
        if self.take_symbol("(") {
            let inner = self.alternatives()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let field = self.path()?;
        let operator = self.operator()?;
        let listed = matches!(operator, Operator::In | Operator::NotIn | Operator::Includes | Operator::Excludes);
        let mut literals = Vec::new();
        if listed {
            self.expect_symbol("(")?;
            literals.push(self.literal()?);
            while self.take_symbol(",") {
                literals.push(self.literal()?);
            }
            self.expect_symbol(")")?;
        } else {
            literals.push(self.literal()?);
        }
        Ok(Condition::Compare { field, operator, literals })
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let token = self.next()?;
        let operator = match &token {
            Token::Symbol("=") => Some(Operator::Equal),
            Token::Symbol("!=" | "<>") => Some(Operator::NotEqual),
            Token::Symbol("<") => Some(Operator::Less),
            Token::Symbol("<=") => Some(Operator::LessOrEqual),
            Token::Symbol(">") => Some(Operator::Greater),
            Token::Symbol(">=") => Some(Operator::GreaterOrEqual),
            Token::Word(word) => match word.to_ascii_uppercase().as_str() {
                "LIKE" => Some(Operator::Like),
                "IN" => Some(Operator::In),
                "INCLUDES" => Some(Operator::Includes),
                "EXCLUDES" => Some(Operator::Excludes),
                "NOT" if self.take_word("IN") => Some(Operator::NotIn),
                _ => None,
            },
            _ => None,
        };
        operator.ok_or_else(|| format!("unexpected token: {}", shown(&token)))
    }

    fn literal(&mut self) -> Result<Literal, String> {
        let word = match self.next()? {
            Token::Text(text) => return Ok(Literal::Text(text)),
            Token::Word(word) => word,
            token @ Token::Symbol(_) => return Err(format!("unexpected token: {}", shown(&token))),
        };
        if word.eq_ignore_ascii_case("null") {
            return Ok(Literal::Null);
        }
        if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") {
            return Ok(Literal::Boolean(word.eq_ignore_ascii_case("true")));
        }
        if word.contains(['T', 't'])
            && let Ok(at) = word.parse::<Timestamp>()
        {
            return Ok(Literal::Datetime(at));
        }
        if let Some(date) = date(&word) {
            return Ok(Literal::Date(date));
        }
        if let Some(days) = days(&word.to_ascii_uppercase(), self.today) {
            return Ok(Literal::Days(days));
        }
        let plain = word.chars().all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
        match word.parse::<f64>() {
            Ok(number) if plain => Ok(Literal::Number(number)),
            _ => Err(format!("unexpected token: '{word}'")),
        }
    }
}

fn date(word: &str) -> Option<Date> {
    (word.len() == 10 && word.as_bytes()[4] == b'-').then(|| word.parse().ok()).flatten()
}

/// The days that a date literal stands for. Weeks begin on Sunday, fiscal years in January.
fn days(word: &str, today: Date) -> Option<Range<Date>> {
    let (name, number) = match word.split_once(':') {
        Some((name, number)) => (name, Some(number.parse::<i64>().ok().filter(|number| (1..=9_999).contains(number))?)),
        None => (word, None),
    };
    let several = |prefix, suffix| name.strip_prefix(prefix)?.strip_suffix(suffix);
    let one = |prefix| name.strip_prefix(prefix).filter(|unit| *unit != "DAY");
    let (unit, first, count) = match (name, number) {
        ("YESTERDAY", None) => ("DAY", -1, 1),
        ("TODAY", None) => ("DAY", 0, 1),
        ("TOMORROW", None) => ("DAY", 1, 1),
        // Today counts as one more.
        ("LAST_90_DAYS", None) => ("DAY", -90, 91),
        ("NEXT_90_DAYS", None) => ("DAY", 1, 90),
        ("LAST_N_DAYS", Some(number)) => ("DAY", -number, number + 1),
        (_, None) => one("LAST_")
            .map(|unit| (unit, -1, 1))
            .or_else(|| one("THIS_").map(|unit| (unit, 0, 1)))
            .or_else(|| one("NEXT_").map(|unit| (unit, 1, 1)))?,
        (_, Some(number)) => several("LAST_N_", "S")
            .map(|unit| (unit, -number, number))
            .or_else(|| several("NEXT_N_", "S").map(|unit| (unit, 1, number)))
            .or_else(|| several("N_", "S_AGO").map(|unit| (unit, -number, 1)))?,
    };
    let month = today.first_of_month();
    let (now, step) = match unit {
        "DAY" => (today, 1.day()),
        "WEEK" => (today.checked_sub(today.weekday().to_sunday_zero_offset().days()).ok()?, 1.week()),
        "MONTH" => (month, 1.month()),
        "QUARTER" | "FISCAL_QUARTER" => (month.checked_sub(((month.month() - 1) % 3).months()).ok()?, 3.months()),
        "YEAR" | "FISCAL_YEAR" => (today.first_of_year(), 1.year()),
        _ => return None,
    };
    let after = |steps: i64| now.checked_add(step.checked_mul(steps).ok()?).ok();
    Some(after(first)?..after(first + count)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday.
    const TODAY: Date = jiff::civil::date(2026, 11, 25);

    fn parse(text: &str) -> Result<Query, String> {
        super::parse(text, TODAY)
    }

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_window_query_parses_in_full() {
        let query = parse(
            "SELECT Id, Account.Owner.Email FROM Opportunity WHERE SystemModstamp >= 2026-11-22T10:00:00Z AND \
             (LastModifiedById != '005000000000001AAA' OR ACE_Opportunity_Id__c = null) \
             ORDER BY SystemModstamp, Id DESC NULLS LAST LIMIT 200",
        )
        .expect("it is right");
        assert_eq!(query.fields, [path("Id"), path("Account.Owner.Email")]);
        assert_eq!(query.order.len(), 2);
        assert!(query.order[1].descending && query.order[1].nulls_last && !query.order[0].descending);
        assert_eq!(query.limit, Some(200));
        let Some(Condition::And(terms)) = query.condition else { panic!("AND on top") };
        assert!(matches!(&terms[0], Condition::Compare { operator: Operator::GreaterOrEqual, literals, .. }
            if matches!(literals[0], Literal::Datetime(_))));
        assert!(matches!(&terms[1], Condition::Or(inner) if inner.len() == 2));
    }

    #[test]
    fn strings_are_unescaped() {
        let query = parse(r"SELECT Id FROM Lead WHERE Company = 'O\'Brien \\ Söhne\n'").expect("it is right");
        let Some(Condition::Compare { literals, .. }) = query.condition else { panic!("one comparison") };
        assert_eq!(literals, [Literal::Text("O'Brien \\ Söhne\n".to_owned())]);
    }

    #[test]
    fn literals_have_their_types() {
        let query = parse(
            "SELECT Id FROM Opportunity WHERE CloseDate IN (2026-11-22, null) OR Amount < -1.5 OR \
             Share_With_AWS__c = TRUE OR SystemModstamp < 2026-11-22T10:00:00+01:00",
        )
        .expect("it is right");
        let Some(Condition::Or(terms)) = query.condition else { panic!("OR on top") };
        let literals: Vec<Literal> = terms
            .into_iter()
            .flat_map(|term| match term {
                Condition::Compare { literals, .. } => literals,
                _ => panic!("comparisons only"),
            })
            .collect();
        assert_eq!(
            literals,
            [
                Literal::Date("2026-11-22".parse().expect("a date")),
                Literal::Null,
                Literal::Number(-1.5),
                Literal::Boolean(true),
                Literal::Datetime("2026-11-22T09:00:00Z".parse().expect("a moment")),
            ]
        );
    }

    #[test]
    fn date_literals_stand_for_days() {
        for (word, first, end) in [
            ("today", "2026-11-25", "2026-11-26"),
            ("YESTERDAY", "2026-11-24", "2026-11-25"),
            ("TOMORROW", "2026-11-26", "2026-11-27"),
            ("LAST_90_DAYS", "2026-08-27", "2026-11-26"),
            ("LAST_N_DAYS:2", "2026-11-23", "2026-11-26"),
            ("NEXT_N_DAYS:2", "2026-11-26", "2026-11-28"),
            ("N_DAYS_AGO:2", "2026-11-23", "2026-11-24"),
            ("THIS_WEEK", "2026-11-22", "2026-11-29"),
            ("LAST_N_WEEKS:2", "2026-11-08", "2026-11-22"),
            ("NEXT_MONTH", "2026-12-01", "2027-01-01"),
            ("THIS_QUARTER", "2026-10-01", "2027-01-01"),
            ("LAST_FISCAL_QUARTER", "2026-07-01", "2026-10-01"),
            ("NEXT_N_YEARS:3", "2027-01-01", "2030-01-01"),
        ] {
            let query = parse(&format!("SELECT Id FROM Opportunity WHERE CloseDate = {word}")).expect(word);
            let Some(Condition::Compare { literals, .. }) = query.condition else { panic!("one comparison") };
            let days = first.parse().expect("a date")..end.parse().expect("a date");
            assert_eq!(literals, [Literal::Days(days)], "{word}");
        }
    }

    #[test]
    fn not_stands_alone_or_in_parentheses() {
        for (condition, is_right) in [
            ("NOT Name LIKE 'x%'", true),
            ("NOT(Name = 'x' OR Name = 'y')", true),
            ("City = 'y' AND (NOT Name LIKE 'x%')", true),
            ("(NOT Name LIKE 'x%') OR City = 'y'", true),
            ("City = 'y' AND NOT Name LIKE 'x%'", false),
            ("NOT Name LIKE 'x%' AND City = 'y'", false),
        ] {
            let parsed = parse(&format!("SELECT Id FROM Lead WHERE ({condition}) ORDER BY Id LIMIT 5"));
            assert_eq!(parsed.is_ok(), is_right, "{condition}: {parsed:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for wrong in [
            "",
            "SELECT FROM Lead",
            "SELECT Id Lead",
            "SELECT Id FROM Lead WHERE",
            "SELECT Id FROM Lead WHERE Name = 'open",
            "SELECT Id FROM Lead WHERE Name = 'x' AND City = 'y' OR City = 'z'",
            "SELECT Id FROM Lead WHERE (Name = 'x'",
            "SELECT Id FROM Lead LIMIT many",
            "SELECT Id FROM Lead ORDER Name",
            "SELECT Id FROM Lead WHERE Name = x",
            "SELECT Id FROM Lead WHERE CreatedDate = THIS_DAY",
            "SELECT Id FROM Lead WHERE CreatedDate = LAST_N_DAYS",
            "SELECT Id FROM Lead WHERE CreatedDate = LAST_N_DAYS:x",
            "SELECT Id FROM Lead WHERE CreatedDate = THIS_DECADE",
            "SELECT Id; FROM Lead",
            "SELECT Id FROM Lead extra",
            "SELECT * FROM Lead",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
