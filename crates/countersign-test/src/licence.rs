//! SPDX licence expressions (SPDX 2.3, annex D), as far as crates use them.

/// Whether an expression can be met with allowed licences alone: one side of an `OR`, both sides of an `AND`. An exception
/// (`WITH`) makes a licence of its own. The old `MIT/Apache-2.0` means `OR`.
///
/// ```
/// use countersign_test::licence::is_met;
///
/// assert!(is_met("MIT OR GPL-3.0-only", &["MIT"]));
/// assert!(!is_met("MIT AND GPL-3.0-only", &["MIT"]));
/// ```
#[must_use]
pub fn is_met(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.any() == Some(true) && reader.words.is_empty()
}

/// Reads from the front; `None` where the expression is none.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.next_is("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.next_is("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.next_is("(") {
            let met = self.any()?;
            return self.next_is(")").then_some(met);
        }
        let licence = self.next()?;
        if matches!(licence, "AND" | "OR" | "WITH" | ")") {
            return None;
        }
        if self.next_is("WITH") {
            let exception = self.next()?;
            return Some(self.allowed.contains(&format!("{licence} WITH {exception}").as_str()));
        }
        Some(self.allowed.contains(&licence))
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn next_is(&mut self, word: &str) -> bool {
        let is = self.words.first() == Some(&word);
        if is {
            self.words = &self.words[1..];
        }
        is
    }
}

#[cfg(test)]
mod tests {
    use super::is_met;

    const ALLOWED: [&str; 3] = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];

    #[test]
    fn one_side_of_an_or_and_both_sides_of_an_and() {
        for met in ["MIT", "GPL-2.0-only OR MIT", "MIT AND ISC", "ISC AND (MIT OR GPL-2.0-only)", "(MIT)", "MIT/X11"] {
            assert!(is_met(met, &ALLOWED), "{met}");
        }
        for unmet in ["GPL-2.0-only", "MIT AND GPL-2.0-only", "ISC AND (X11 OR GPL-2.0-only)", "X11 OR ISC AND X12"] {
            assert!(!is_met(unmet, &ALLOWED), "{unmet}");
        }
    }

    #[test]
    fn an_exception_makes_another_licence() {
        assert!(is_met("Apache-2.0 WITH LLVM-exception", &ALLOWED));
        assert!(!is_met("Apache-2.0", &ALLOWED));
        assert!(!is_met("MIT WITH Autoconf-exception-3.0", &ALLOWED));
    }

    #[test]
    fn what_is_no_expression_is_not_met() {
        for broken in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            assert!(!is_met(broken, &ALLOWED), "{broken}");
        }
    }
}
