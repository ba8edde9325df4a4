//! What a trusted site says of a user: the payload of a `trusted-site` message to the exchange.

use crate::json::{Document, Kind, Value};
use crate::rejection::{Code, Rejection};

/// For whom a site vouches, as its payload says. Plain data: it is worth as much as the proof beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The e-mail address as the site wrote it; whether it is one is still to be judged.
    pub email: String,
}

impl Vouched {
    /// Reads the payload of a message to `path`: a JSON object with `email`. Since the scheme signs no target, a member `for`
    /// binds the payload to one path; all others are the site's own.
    ///
    /// # Errors
    /// `malformed` for what is no JSON object that can be read in one way only, and for one that is for another path;
    /// `user_invalid` without an `email` that is text.
    ///
    /// ```
    /// use countersign::{Code, Vouched};
    ///
    /// let payload = br#"{"email": "ana@example.com", "for": "/auth/trusted/login"}"#;
    /// assert_eq!(Vouched::read(payload, "/auth/trusted/login").unwrap().email, "ana@example.com");
    /// assert_eq!(Vouched::read(payload, "/auth/trusted/register").unwrap_err().code(), Code::Malformed);
    /// ```
    pub fn read(payload: &[u8], path: &str) -> Result<Self, Rejection> {
        let document = Document::parse(payload)
            .map_err(|fault| Rejection::new(Code::Malformed, format!("the payload: {}", fault.0)))?;
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(Rejection::new(Code::Malformed, "the payload is no JSON object"));
        }
        if let Some(meant) = root.member("for")
            && meant.as_str().as_deref() != Some(path)
        {
            return Err(Rejection::new(Code::Malformed, "the payload is for another path"));
        }
        let email = root.member("email").and_then(Value::as_str);
        let email = email.ok_or_else(|| Rejection::new(Code::UserInvalid, "the payload has no email that is text"))?;
        Ok(Self { email: email.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Result<String, Code> {
        Vouched::read(payload.as_bytes(), "/auth/trusted/register")
            .map(|vouched| vouched.email)
            .map_err(|rejection| rejection.code())
    }

    #[test]
    fn other_members_are_the_sites_own() {
        assert_eq!(read(r#"{"email":"a@b","name":"Ana","roles":["x"],"id":1e3}"#).as_deref(), Ok("a@b"));
        assert_eq!(read(r#"{"email":"\u0061@b"}"#).as_deref(), Ok("a@b"));
    }

    #[test]
    fn a_payload_for_another_path_is_refused() {
        for meant in [
            r#""/auth/trusted/login""#,
            r#""/auth/trusted/register/""#,
            r#""/AUTH/trusted/register""#,
            r#""""#,
            "null",
            "1",
            r#"["/auth/trusted/register"]"#,
            r#""/auth/trusted/register?x""#,
        ] {
            assert_eq!(read(&format!(r#"{{"email":"a@b","for":{meant}}}"#)), Err(Code::Malformed), "{meant}");
        }
        assert!(read(r#"{"for":"/auth/trusted/register","email":"a@b"}"#).is_ok());
        assert!(read(r#"{"for":"\/auth\/trusted\/register","email":"a@b"}"#).is_ok(), "as PHP writes it");
    }

    #[test]
    fn an_email_that_stands_twice_is_refused() {
        assert_eq!(read(r#"{"email":"a@b","email":"c@d"}"#), Err(Code::Malformed));
        assert_eq!(read(r#"{"email":"a@b","\u0065mail":"c@d"}"#), Err(Code::Malformed));
        assert_eq!(
            read(r#"{"email":"a@b","for":"/auth/trusted/login","for":"/auth/trusted/register"}"#),
            Err(Code::Malformed)
        );
    }

    #[test]
    fn what_is_no_object_with_an_email_is_refused() {
        for payload in ["", "x", "a@b", r#""a@b""#, r#"["a@b"]"#, "null", r#"{"email":"a@b"} x"#, r#"{"email":"a@b""#] {
            assert_eq!(read(payload), Err(Code::Malformed), "{payload}");
        }
        for payload in ["{}", r#"{"email":null}"#, r#"{"email":["a@b"]}"#, r#"{"Email":"a@b"}"#, r#"{"email":1}"#] {
            assert_eq!(read(payload), Err(Code::UserInvalid), "{payload}");
        }
    }
}
