//! The pages that show commands, run as they stand.

use std::path::Path;

use countersign_test::pages::{SET_UP, Start, shows_what_it_says};
use countersign_test::repository;

#[test]
fn what_the_readme_says_to_type_works_and_shows_what_it_says() {
    let readme = repository::text("README.md");
    assert!(readme.contains(&format!("```sh\n{SET_UP}```\n")), "the two set-up commands are not a block of their own");
    assert!(readme.contains("\ncountersign init\n"), "the first use is gone from the README");
    shows_what_it_says("README.md", Start::Project);
}

#[test]
fn the_examples_of_the_specifications_are_what_the_binary_makes_and_takes() {
    let pages: Vec<_> = repository::files().into_iter().filter(|path| path.starts_with("spec")).collect();
    let index = repository::text("spec/README.md");
    for scheme in ["http-message-signatures", "pki", "trusted-site", "app-hmac"] {
        let page = Path::new("spec").join(scheme).with_extension("md");
        assert!(pages.contains(&page), "{scheme} has no page: {pages:?}");
        assert!(index.contains(&format!("]({scheme}.md)")), "the index does not name {scheme}");
        shows_what_it_says(page, Start::Empty);
    }
}

#[test]
fn what_the_documents_say_to_type_works_and_shows_what_they_say() {
    let pages: Vec<_> = repository::files().into_iter().filter(|path| path.starts_with("docs")).collect();
    // This one has an example in it: `examples.rs` runs it with those.
    let quickstart = Path::new("docs/quickstart-partner.md");
    assert!(pages.iter().any(|page| page == quickstart) && pages.len() > 1, "docs/ is gone: {pages:?}");
    let typed = |page: &Path| repository::text(page).contains("\n```sh\n");
    for page in pages.iter().filter(|page| *page != quickstart && typed(page)) {
        shows_what_it_says(page, Start::Project);
    }
}

#[test]
fn every_file_that_a_page_points_to_is_there() {
    for page in repository::files().into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let text = repository::text(&page);
        let directory = page.parent().unwrap_or(Path::new(""));
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let there = repository::root().join(directory).join(target).exists();
            assert!(there, "{} points to {target}, which is not there", page.display());
        }
    }
}
