//! The syntax of Java properties files, with line numbers.
//!
//! As `java.util.Properties` reads them: `=`, `:` or white space separates key and value, a line
//! that ends in an odd number of backslashes goes on in the next one, `\t \n \r \f \uXXXX` are
//! escapes (any other escaped character is itself), `#` and `!` start comment lines, and the last
//! of several equal keys wins.

/// One `key = value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub key: String,
    pub value: String,
    /// The line the key stands on, from 1.
    pub line: usize,
}

/// Why a file cannot be read as properties.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: malformed \\uXXXX escape, four hexadecimal digits must follow \\u")]
pub struct MalformedEscape {
    pub line: usize,
}

/// Every property of `text`, in order, duplicates included.
pub fn parse(text: &str) -> Result<Vec<Property>, MalformedEscape> {
    let mut properties = Vec::new();
    let mut lines = natural_lines(text).enumerate();
    while let Some((at, first)) = lines.next() {
        let first = trim_start(first);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        if first == "\\" {
            // Nothing is continued: the next line begins anew, as in Java.
            continue;
        }
        let mut logical = first.to_owned();
        while ends_in_continuation(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, more)) => logical.push_str(trim_start(more)),
                None => break,
            }
        }
        properties.push(split(&logical, at + 1)?);
    }
    Ok(properties)
}

/// Lines ended by `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else { return rest.take() };
        let (line, tail) = text.split_at(end);
        let tail = tail.strip_prefix("\r\n").or_else(|| tail.strip_prefix(['\n', '\r']));
        rest = tail;
        Some(line)
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn trim_start(line: &str) -> &str {
    line.trim_start_matches(is_blank)
}

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

fn split(line: &str, at: usize) -> Result<Property, MalformedEscape> {
    let mut escaped = false;
    let end_of_key = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (is_blank(*c) || matches!(c, '=' | ':'));
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end_of_key);
    let rest = trim_start(rest);
    let value = rest.strip_prefix(['=', ':']).map_or(rest, trim_start);
    Ok(Property { key: unescape(key, at)?, value: unescape(value, at)?, line: at })
}

fn unescape(text: &str, line: usize) -> Result<String, MalformedEscape> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    // Java's escapes are UTF-16 units, so that a character beyond the basic plane takes two.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let push = |units: &mut Vec<u16>, c: char| {
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut units, c);
            continue;
        }
        match chars.next() {
            Some('t') => push(&mut units, '\t'),
            Some('n') => push(&mut units, '\n'),
            Some('r') => push(&mut units, '\r'),
            Some('f') => push(&mut units, '\x0c'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let is_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
                units.push(unit.ok_or(MalformedEscape { line })?);
            }
            Some(other) => push(&mut units, other),
            None => {}
        }
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, usize)> {
        let properties = parse(text).unwrap();
        properties.into_iter().map(|p| (p.key, p.value, p.line)).collect()
    }

    fn pair(text: &str) -> (String, String) {
        let mut all = read(text);
        assert_eq!(all.len(), 1, "{text:?}: {all:?}");
        let (key, value, _) = all.remove(0);
        (key, value)
    }

    #[test]
    fn separators_and_white_space() {
        for text in ["a=b", "a:b", "a b", "  a = b", "\ta : b", "a\t=\tb", "a   b", "a =b"] {
            assert_eq!(pair(text), ("a".to_owned(), "b".to_owned()), "{text:?}");
        }
        assert_eq!(pair("a").1, "");
        assert_eq!(pair("a=").1, "");
        assert_eq!(pair("a==b").1, "=b", "only the first separator is one");
        assert_eq!(pair("a=b=c").1, "b=c");
        assert_eq!(pair("a=b ").1, "b ", "white space at the end belongs to the value");
        assert_eq!(pair("listeners=A://:1,B://:2").1, "A://:1,B://:2");
        assert_eq!(pair("=v"), (String::new(), "v".to_owned()));
    }

    #[test]
    fn escapes() {
        assert_eq!(pair(r"a\ b\=c\:d = e").0, "a b=c:d");
        assert_eq!(pair(r"path=C:\\tmp\\x").1, r"C:\tmp\x");
        assert_eq!(pair(r"a=1\t2\n3\r4\f5").1, "1\t2\n3\r4\x0c5");
        assert_eq!(pair(r"a=\u00e9\u20AC").1, "é€");
        assert_eq!(pair(r"a=\ud83d\ude00").1, "😀", "a pair of surrogates is one character");
        assert_eq!(pair(r"a=\q\#\!").1, "q#!");
        assert_eq!(parse("x=1\na=\\u12g4"), Err(MalformedEscape { line: 2 }));
        assert_eq!(parse("a=\\u12"), Err(MalformedEscape { line: 1 }));
        assert_eq!(parse("a=\\u+123"), Err(MalformedEscape { line: 1 }));
    }

    #[test]
    fn comments_blank_lines_and_line_numbers() {
        let text = "# one\r\n! two\n\n   # three\na=1\rb=2 # not a comment\r\n\\\nc=3";
        let found = read(text);
        assert_eq!(found[0], ("a".to_owned(), "1".to_owned(), 5));
        assert_eq!(found[1], ("b".to_owned(), "2 # not a comment".to_owned(), 6));
        assert_eq!(found[2].0, "c");
    }

    #[test]
    fn continuation() {
        assert_eq!(pair("a=1,\\\n   2,\\\r\n\t3").1, "1,2,3");
        assert_eq!(pair("a=1\\\\").1, "1\\", "two backslashes are one, and no continuation");
        assert_eq!(pair("a=1\\").1, "1", "nothing follows");
        assert_eq!(pair("a=1\\\n# still the value").1, "1# still the value");
        let found = read("a=1\\\n2\nb=3");
        assert_eq!(found[1], ("b".to_owned(), "3".to_owned(), 3));
    }

    #[test]
    fn duplicates_are_kept_for_the_caller_to_judge() {
        assert_eq!(read("a=1\na=2").len(), 2);
        assert!(read("").is_empty());
    }

    #[test]
    fn a_lone_backslash_continues_nothing() {
        assert_eq!(read("\\\n# a comment\na=1"), [("a".to_owned(), "1".to_owned(), 3)]);
        assert!(read("\\").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_escaped_text_comes_back(key in "\\PC{1,9}", value in "\\PC{0,9}") {
            let _ = parse(&format!("{key}\n{value}\\"));
            let escape = |text: &str| -> String {
                text.chars().flat_map(|c| ['\\', c]).collect::<String>()
                    .replace("\\t", "t").replace("\\n", "n").replace("\\r", "r")
                    .replace("\\f", "f").replace("\\u", "u")
            };
            let text = format!("{}={}", escape(&key), escape(&value));
            proptest::prop_assert_eq!(pair(&text), (key, value));
        }
    }
}
