use bytes::Bytes;
use http::header::CONTENT_LENGTH;

use super::{Message, headers};

/// A raw message, as on stdin.
///
/// # Panics
/// Where a message that we write reads as another one than the one we read.
pub(crate) fn message(input: &[u8]) {
    let Ok(message) = Message::parse(&Bytes::copy_from_slice(input)) else { return };
    let written = message.write();
    let again = Message::parse(&Bytes::from(written.clone())).expect("what we write can be read");
    assert_eq!(again.start.lines, message.start.lines);
    assert_eq!(again.start.request(), message.start.request());
    // Where there is a body and nothing said how long it is, we say so.
    let fields = |message: &Message| {
        let mut fields = headers(&message.fields);
        fields.remove(CONTENT_LENGTH);
        fields
    };
    assert_eq!(fields(&again), fields(&message));
    assert_eq!(again.body(), message.body());
    assert_eq!(again.trailers(), message.trailers());
    assert_eq!(again.write(), written);
    if let Ok(origin) = message.origin() {
        assert_eq!(again.origin().as_ref(), Ok(&origin));
        assert!(message.authority_under(&origin));
        let head = |message: &Message| message.head(origin.clone()).map(|head| head.has_body());
        assert_eq!(head(&again), head(&message));
    }
    if message.is_response() {
        let head = |message: &Message| message.response_head(None).map(|head| head.has_body());
        assert_eq!(head(&again), head(&message));
    }
}
