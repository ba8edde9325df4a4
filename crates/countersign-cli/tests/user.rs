//! What an operator sees and does of the users for whom sites vouch.

mod support;

use std::process::Command;

use countersign::Timestamp;
use countersign_store::users::{Email, NewUser};
use countersign_store::{Registry, Users};
use support::Dir;
use support::gateway::Gateway;

/// A deployment whose gateways registered these.
fn deployment(users: &[(&str, &str, &str)]) -> Dir {
    let dir = Dir::new();
    dir.fine("partner add shop");
    let data = dir.path("countersign-data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = Registry::open(&format!("sqlite:{}/registry.db", data.display()), &data).await.unwrap();
        let store = Users::open(&registry).await.unwrap();
        for (email, site, partner) in users {
            let email = Email::parse(email).unwrap();
            let new = NewUser { email: &email, site, partner, credits: 100 };
            store.register(new, Timestamp::from_secs(1_790_000_000)).await.unwrap();
        }
        registry.close().await;
    });
    dir
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn users_are_listed_shown_suspended_and_removed() {
    let dir = deployment(&[("ana@example.com", "shop-1", "shop"), ("bob@example.com", "blog", "blog")]);
    let list = dir.fine("user list");
    assert!(list.contains("EMAIL") && list.contains("ana@example.com") && list.contains("bob@example.com"), "{list}");
    let of_one = json(&dir.fine("user list --partner blog --json"));
    assert_eq!(of_one["users"].as_array().unwrap().len(), 1);
    assert_eq!(of_one["users"][0]["email"], "bob@example.com");
    let page = json(&dir.fine("user list --limit 1 --json"));
    assert_eq!((&page["users"][0]["email"], &page["next"]), (&"ana@example.com".into(), &"ana@example.com".into()));
    let page = json(&dir.fine("user list --after ana@example.com --json"));
    assert_eq!((&page["users"][0]["email"], page["next"].is_null()), (&"bob@example.com".into(), true));

    let ana = json(&dir.fine("user show Ana@Example.com --json"));
    for (name, value) in [("state", "active"), ("registered_via", "shop-1"), ("partner", "shop")] {
        assert_eq!(ana[name], value);
    }
    assert_eq!(ana["credits_remaining"], 100);
    let shown = dir.fine("user show ana@example.com");
    assert!(shown.contains("ana@example.com, active") && shown.contains("via shop-1, a key of shop"), "{shown}");

    let id = ana["id"].as_str().unwrap();
    assert_eq!(json(&dir.fine(&format!("user show {id} --json"))), ana);

    assert!(dir.fine("user suspend ana@example.com").starts_with("suspended"));
    assert!(dir.fine("user suspend ana@example.com").starts_with("unchanged"));
    assert_eq!(json(&dir.fine("user show ana@example.com --json"))["state"], "suspended");
    assert!(dir.fine("user resume ana@example.com").starts_with("resumed"));
    assert!(dir.fine("user remove ana@example.com").starts_with("removed"));
    let gone = dir.run("user show ana@example.com");
    assert_eq!((gone.code, gone.err.contains("there is no user ana@example.com")), (2, true), "{gone:?}");
}

/// By the e-mail that the operator knows, never by a name that no token has.
#[test]
fn tokens_of_a_user_are_revoked_by_the_email_and_each_end_of_a_user_says_so() {
    let dir = deployment(&[("ana@example.com", "shop", "shop")]);
    dir.write("countersign.toml", "[token]\nissuer = \"https://api.example.com\"\n");
    let id = json(&dir.fine("user show ana@example.com --json"))["id"].as_str().unwrap().to_owned();
    for who in ["Ana@Example.com", &id, &id.to_uppercase()] {
        let said = dir.fine(&format!("token revoke --user {who}"));
        assert!(said.contains(&format!("all tokens of the user {id}")), "{said}");
    }
    let revoked = json(&dir.fine("token revoked --json"));
    assert_eq!(
        (revoked["revoked"].as_array().unwrap().len(), &revoked["revoked"][0]["name"]),
        (1, &id.as_str().into())
    );
    let next = format!("countersign token revoke --user {id}");
    for command in ["suspend", "remove"] {
        let said = dir.fine(&format!("user {command} ana@example.com"));
        assert!(said.contains(&next), "{said}");
    }
    assert_eq!(dir.run("token revoke --user ana@example.com").code, 2);
    let ran = dir.run(&format!("token revoke --user {id}"));
    assert!(ran.code == 0 && ran.err.contains(&format!("there is no user {id} now")), "{ran:?}");
}

#[test]
fn what_is_no_address_is_said_so() {
    let dir = deployment(&[]);
    let ran = dir.run("user show ana");
    assert_eq!((ran.code, ran.err.contains("no e-mail address")), (2, true), "{ran:?}");
    assert!(dir.run("user list").err.contains("no users"));
    assert_eq!(dir.run("user remove ana@example.com").code, 2);
}

/// As they were registered before anybody compared, and an address that would be none today.
#[test]
fn users_who_look_alike_are_named_at_the_start_and_removed_by_their_id() {
    let dir = deployment(&[("ёре@example.com", "shop", "shop"), ("ana@example.com", "shop", "shop")]);
    let change = "import sqlite3\nc = sqlite3.connect('countersign-data/registry.db')\n\
                  copy = 'INSERT INTO site_user (id, email, registered_via, partner, credits_remaining, state, registered) \
                  SELECT ?, ?, registered_via, partner, credits_remaining, state, registered FROM site_user LIMIT 1'\n\
                  c.execute(copy, ('22222222-2222-4222-8222-222222222222', '\u{eb}pe@example.com'))\nc.execute(copy, ('3' * 36, 'm\u{fc}ll\u{131}@example.com'))\n\
                  c.execute('UPDATE site_user SET skeleton = NULL')\nc.execute('DELETE FROM skeleton_version')\nc.commit()";
    let python = Command::new("python3").args(["-c", change]).current_dir(dir.here()).status();
    assert!(python.unwrap().success());
    dir.write(
        "countersign.toml",
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nupstream = \
         \"http://127.0.0.1:1\"\n",
    );
    drop(Gateway::start(&dir));
    let log = dir.read("log");
    let twin = "22222222-2222-4222-8222-222222222222";
    assert!(log.contains("addresses of two users look alike") && log.contains(twin), "{log}");
    assert!(!log.contains("@example.com"), "{log}");
    for who in [twin, "müllı@example.com"] {
        assert!(dir.fine(&format!("user remove {who}")).starts_with("removed"));
    }
    dir.write("log", "");
    drop(Gateway::start(&dir));
    assert!(!dir.read("log").contains("look alike"), "{}", dir.read("log"));
    let gone = dir.run(&format!("user remove {twin}"));
    assert_eq!((gone.code, gone.err.contains("there is no user")), (2, true), "{gone:?}");
}
