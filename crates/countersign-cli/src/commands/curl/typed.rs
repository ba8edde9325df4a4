//! The command line as it was typed, to be typed again.

use super::show;

/// The same command without some flags and with others, for a shell. `None` where it is not to be repeated: it is long, or
/// holds a header that may be a credential.
pub(super) fn again(without: &[&str], with: &str) -> Option<String> {
    of(std::env::args().skip(1), without, with)
}

fn of(typed: impl Iterator<Item = String>, without: &[&str], with: &str) -> Option<String> {
    let mut line = String::from("countersign");
    let (mut skip, mut header) = (false, false);
    for word in typed {
        if std::mem::take(&mut skip) {
            continue;
        }
        let (flag, value) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
        let field = match word.strip_prefix("-H") {
            _ if header => Some(word.as_str()),
            Some(field) => Some(field),
            None => value.filter(|_| flag == "--header"),
        };
        header = word == "-H" || word == "--header";
        if field.is_some_and(holds_credential) {
            return None;
        }
        if without.contains(&flag) {
            skip = value.is_none() && TAKE_A_VALUE.contains(&flag);
            continue;
        }
        line.push(' ');
        line.push_str(&quoted(&word));
    }
    if !with.is_empty() {
        line.push(' ');
        line.push_str(with);
    }
    (line.len() <= MAX_LINE).then_some(line)
}

/// `Authorization: …`, and whatever is no header at all.
fn holds_credential(field: &str) -> bool {
    let name = field.split([':', ';']).next().unwrap_or_default();
    !field.is_empty() && !field.starts_with('@') && name.parse().map_or(true, |name| show::is_credential(&name))
}

const TAKE_A_VALUE: [&str; 3] = ["--tamper", "--scheme", "--cover"];
const MAX_LINE: usize = 400;

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_can_be_pasted() {
        let of =
            |typed: &[&str], without: &[&str], with: &str| of(typed.iter().map(|it| (*it).to_owned()), without, with);
        let typed = ["curl", "--key", "k", "http://a/?b&c", "-d", "{\"it's\": 1}", "--tamper", "body", "-i"];
        let pasted = "countersign curl --key k 'http://a/?b&c' -d '{\"it'\\''s\": 1}' -i";
        assert_eq!(of(&typed, &["--tamper"], "").unwrap(), pasted);
        assert_eq!(of(&["curl", "--tamper=body", "u"], &["--tamper"], "-v").unwrap(), "countersign curl u -v");
        assert_eq!(of(&["curl", "-HAuthorization: Bearer hunter2"], &[], ""), None);
        assert_eq!(of(&["curl", "--header=Cookie: a"], &[], ""), None);
        assert_eq!(of(&["curl", "-H", "X-Api-Key: hunter2"], &[], ""), None);
        let harmless = ["curl", "-H", "Content-Type: a/b", "--header", "@file"];
        assert_eq!(of(&harmless, &[], "").unwrap(), "countersign curl -H 'Content-Type: a/b' --header @file");
        assert_eq!(of(&["curl", "-d", &"x".repeat(500)], &[], ""), None);
    }
}
