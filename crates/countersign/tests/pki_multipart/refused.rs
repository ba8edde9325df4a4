//! What two receivers could read differently, by name, and the attacks on forms that are known.

use countersign::Code;

use super::support::{NOW, Request};
use super::{FORM, lines, pair, pass, request, sign_error};

#[test]
fn what_two_receivers_could_read_differently_is_malformed_on_both_sides() {
    let pair = pair();
    let signed = request(lines(FORM)).sign(&pair, "", NOW);
    let file = "name=\"file\"; filename=\"ü %22.txt\"";
    let inside = "Content-Length: 17\nContent-Transfer-Encoding: binary\n\none\n--b-";
    let again = "--b-1\nContent-Disposition: form-data; name=\"file\"\n\nx\n--b-1--\n";
    for (from, to, why) in [
        ("--b-1--\n", again, "part name stands twice"),
        ("name=sender", "name=\"m\"; name=\"m\"", "parameter of a multipart header stands twice"),
        ("name=sender", "name=message_id", "part name stands twice"),
        ("name=sender", "name=a; NAME=b", "parameter of a multipart header stands twice"),
        (file, "name=\"file\"; filename=\"a\"; filename=\"b\"", "stands twice"),
        (file, "name=\"file\"; filename*=utf-8''a", "filename*"),
        (file, "name=\"file\"; filename*0=\"a\"", "filename*"),
        (file, "name=\"file\"; filename=\"a\\\"b\"", "backslash"),
        (file, "name=\"file\"; filename=\"a\"b\"", "not name=token"),
        (file, "name=\"file\"; filename=a\"b", "not name=token"),
        (file, "name=\"file\"; filename=\"C:\\a\"", "backslash"),
        (file, "name=\"file\"; filename=\"../a\"", "path"),
        (file, "name=\"file\"; filename=\"..\"", "path"),
        (file, "name=\"file\"; filename=\"\"", "empty"),
        (file, "name=\"file\"; filename=\"a\0\"", "control"),
        (file, "name=\"file\"; filename=\"a\u{85}\"", "control"),
        (file, "name=\"file\"; size=16", "other than name and filename"),
        (file, "filename=\"a\"", "no name"),
        (file, "name=\"file\";", "not name=token"),
        (file, "name=\"\"", "no name"),
        (file, "name=\"other\"", "other type than text/plain"),
        ("Content-Length: 17", "Content-Length: 16", "not true"),
        ("Content-Length: 17", "Content-Length: +17", "not true"),
        ("Content-Length: 17", "Content-Length: 017", "not true"),
        ("Content-Length: 17", "X-Length: 17", "does not need"),
        ("Content-Length: 17", " folded", "no colon"),
        ("Content-Length: 17", "Content-Type: a/b", "header twice"),
        ("Content-Length: 17", "Content-Length : 17", "does not need"),
        ("binary", "base64", "other than binary"),
        ("binary", "8bit", "other than binary"),
        ("text/x-notes; charset=latin-1", "multipart/mixed; boundary=c", "multipart document"),
        ("text/x-notes; charset=latin-1", "text/plain; charset=a; charset=b", "stands twice"),
        ("text/x-notes; charset=latin-1", "text", "not type/subtype"),
        ("text/x-notes; charset=latin-1", "", "not type/subtype"),
        ("text/x-notes; charset=latin-1", "text/", "not type/subtype"),
        ("text/x-notes; charset=latin-1", "/x-notes", "not type/subtype"),
        ("text/plain; charset=UTF-8", "text/plain; charset=utf-16", "other type than text/plain"),
        ("text/plain; charset=UTF-8", "application/json", "other type than text/plain"),
        ("name=sender", "name=_charset_", "_charset_"),
        ("name=sender", "name=sender; filename=a", "has a file name"),
        ("FORM-DATA; name=sender", "attachment; name=sender", "not form-data"),
        ("content-disposition: FORM-DATA; name=sender\n", "", "no end"),
        ("content-disposition: FORM-DATA; name=sender\n", "Content-Type: text/plain\n", "no Content-Disposition"),
        ("--b-1\nContent", "preamble\n--b-1\nContent", "does not begin with its boundary"),
        ("--b-1\nContent", "\n--b-1\nContent", "does not begin with its boundary"),
        ("--b-1--\n", "--b-1--\nepilogue", "after the last boundary"),
        ("--b-1--\n", "--b-1--\n\n", "after the last boundary"),
        ("--b-1--\n", "--b-1--\n--b-1--\n", "after the last boundary"),
        ("--b-1--\n", "--b-1\n", "last boundary is missing"),
        ("--b-1--\n", "", "last boundary is missing"),
        ("--b-1--\n", "--b-1-", "does not end where its line does"),
        // A boundary inside the content ends it; nothing else that begins a line like one may stand there.
        (inside, "\none\n--b-1\n", "no end within 8 KiB"),
        (inside, "\none\n--b-1--\n", "after the last boundary"),
        (inside, "\none\n--b-12\n", "does not end where its line does"),
        (inside, "\none\n--b-1 \n", "does not end where its line does"),
    ] {
        assert!(FORM.contains(from), "{from}");
        let mut request = signed.clone();
        request.body = lines(&FORM.replacen(from, to, 1));
        assert_eq!(pass(&pair, &request).err(), Some(Code::Malformed), "{from} {to}");
        let told = sign_error(&request).unwrap_or_default();
        assert!(told.contains(why), "{from} {to}: {told}");
    }
    let no_file =
        FORM[..FORM.find("--b-1\nContent-Disposition: form-data; name=\"file\"").unwrap()].to_owned() + "--b-1--\n";
    let more = |count| -> String {
        (0..count).map(|nth| format!("--b-1\nContent-Disposition: form-data; name=f{nth}\n\nx\n")).collect()
    };
    let full = request(lines(&(more(124) + FORM))).sign(&pair, "", NOW);
    assert!(pass(&pair, &full).is_ok());
    for (body, why) in [
        (lines(&(more(125) + FORM)), "more than 128 parts"),
        (lines(&no_file), "no part named file"),
        (lines("--b-1--\n"), "no part named file"),
        (lines(&FORM.replace("m-1\n", &format!("{}\n", "x".repeat(1 << 20)))), "longer than 1 MiB"),
        (lines(&FORM.replace("name=sender", &format!("name={}", "x".repeat(8 << 10)))), "no end within 8 KiB"),
        (lines(FORM).iter().map(|&byte| if byte == 0xa9 { 0xff } else { byte }).collect(), "not UTF-8"),
        (FORM.as_bytes().to_vec(), "does not end where its line does"),
    ] {
        let request = Request { body, ..signed.clone() };
        assert_eq!(pass(&pair, &request).err(), Some(Code::Malformed), "{why}");
        let told = sign_error(&request).unwrap_or_default();
        assert!(told.contains(why), "{why}: {told}");
    }
}

#[test]
fn the_boundary_stands_in_the_head_once_and_is_legal() {
    let pair = pair();
    let with = |content_type: &str| {
        let mut request = request(lines(FORM)).sign(&pair, "", NOW);
        request.headers.insert("content-type", content_type.parse().unwrap());
        assert_eq!(sign_error(&request).is_none(), pass(&pair, &request).is_ok(), "{content_type}");
        pass(&pair, &request).err()
    };
    assert_eq!(with("Multipart/Form-Data;BOUNDARY=\"b-1\""), None);
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for bad in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=b-1; boundary=b-1",
        "multipart/form-data; boundary=b-1; Boundary=c",
        "multipart/form-data; boundary=b-1; charset=utf-8",
        "multipart/form-data; boundary*=b-1",
        "multipart/form-data; boundary=b-1;",
        "multipart/form-data; boundary=b 1",
        "multipart/form-data; boundary=\"b-1 \"",
        "multipart/form-data; boundary=\"b\\-1\"",
        "multipart/form-data; boundary=b#1",
        "multipart/form-data; boundary=b-2",
        "multipart/mixed; boundary=b-1",
        &long,
    ] {
        assert_eq!(with(bad), Some(Code::Malformed), "{bad}");
    }
}

#[test]
fn a_boundary_that_is_none_is_refused_also_where_the_body_has_it() {
    let pair = pair();
    let signed = request(lines(FORM)).sign(&pair, "", NOW);
    let with = |parameter: &str, boundary: &str| {
        let mut request = signed.clone();
        request.body = lines(&FORM.replace("b-1", boundary));
        let content_type = format!("multipart/form-data; {parameter}=\"{boundary}\"");
        request.headers.insert("content-type", content_type.parse().unwrap());
        pass(&pair, &request).err()
    };
    let long = "b".repeat(70);
    for boundary in ["B", "b 1", "AZaz09'()+_,-./:=?", &long] {
        assert_eq!(with("boundary", boundary), None, "{boundary}");
    }
    for boundary in ["b ", "b#1", "b%1", &format!("{long}b")] {
        assert_eq!(with("boundary", boundary), Some(Code::Malformed), "{boundary}");
    }
    assert_eq!(with("border", "b-1"), Some(Code::Malformed));
}
