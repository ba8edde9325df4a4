use http::header;

use crate::component::write_string;
use crate::message::Head;
use crate::structured;

/// What our signers cover: where a message goes, or what it answers, and what it carries.
pub(super) fn cover(head: &Head) -> Vec<String> {
    let mut cover: Vec<String> = match head.status() {
        Some(_) => vec!["@status".to_owned()],
        None => target(head),
    };
    if head.headers().contains_key(header::CONTENT_TYPE) {
        cover.push("content-type".to_owned());
    }
    if head.has_body() {
        cover.push("content-digest".to_owned());
    }
    if let Some(request) = head.answered() {
        cover.extend(answered(request));
    }
    cover
}

fn target(head: &Head) -> Vec<String> {
    let mut cover = ["@method", "@authority", "@path", "@query"].map(str::to_owned).to_vec();
    if head.query() == Some("") {
        // `@query` alone does not tell `/a?` from `/a`.
        cover.push("@request-target".to_owned());
    }
    cover
}

/// RFC 9421 §2.4: a response is bound to its request by `req`, and to that very one by the signatures it carried.
fn answered(request: &Head) -> Vec<String> {
    let mut names = target(request);
    if request.headers().contains_key("content-digest") {
        names.push("content-digest".to_owned());
    }
    let mut cover: Vec<String> = names.iter().map(|name| format!("\"{name}\";req")).collect();
    let signatures = request.joined("signature").ok().flatten().unwrap_or_default();
    if !request.headers().contains_key("signature-input") {
        // The field of that name in another scheme.
        return cover;
    }
    for member in structured::dictionary(&signatures, "Signature", 16).unwrap_or_default().iter() {
        let mut identifier = String::from("\"signature\";req;key=");
        write_string(&mut identifier, member.name);
        cover.push(identifier);
    }
    cover
}
