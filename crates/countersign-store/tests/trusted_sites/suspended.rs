//! Partners known by the files of their sites alone, suspended by one command.

use std::fs;

use countersign_store::registry::{PartnerState, Refused};

use super::support::{self, later, now, rsa};
use super::{Stage, a_while, follow, pem, verifies, within_a_second};

/// As an officer has to who has never heard of `partner add`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_known_by_its_files_alone_is_suspended_for_good_until_it_is_resumed() {
    let stage = Stage::new().await;
    let officer = stage.place.open().await.with_trusted_sites(Some(&stage.file("")));
    let (first, second) = (rsa(), rsa());
    stage.put("drupal_public.pem", pem(&first));
    within_a_second("by its file", || stage.is("drupal", &first)).await;
    officer.resume_partner("drupal", now()).await.unwrap();
    assert!(officer.partner("drupal").await.is_err(), "nothing was to be done, and nothing was");
    let suspended = officer.suspend_partner("drupal", now()).await.unwrap();
    assert_eq!(suspended.state, PartnerState::Suspended);
    within_a_second("suspended", || stage.verifies("drupal").is_none()).await;
    // Nor by another version, nor after a restart.
    stage.put("drupal_v2_public.pem", pem(&second));
    a_while().await;
    assert_eq!(stage.verifies("drupal_v2"), None);
    let restarted = follow(&stage.place, &stage.clock).await;
    assert_eq!((verifies(&restarted, "drupal", now()), verifies(&restarted, "drupal_v2", now())), (None, None));
    let events: Vec<_> = officer.events(0, 10).await.unwrap().into_iter().map(|it| (it.what, it.subject)).collect();
    let expected = ["partner.added", "partner.suspended"].map(|what| (what.to_owned(), "drupal".to_owned()));
    assert_eq!(events[2..], expected);
    officer.resume_partner("drupal", later(1)).await.unwrap();
    within_a_second("resumed", || stage.is("drupal", &first) && stage.is("drupal_v2", &second)).await;
}

/// What the file held before verifies on until it is whole again: just then it has to be possible.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_whose_file_is_torn_is_suspended_and_one_that_nobody_knows_is_not() {
    let stage = Stage::new().await;
    let officer = stage.place.open().await.with_trusted_sites(Some(&stage.file("")));
    let first = rsa();
    stage.put("drupal_v2_public.pem", pem(&first));
    within_a_second("by its file", || stage.is("drupal_v2", &first)).await;
    fs::write(stage.file("drupal_v2_public.pem"), "not yet").unwrap();
    a_while().await;
    assert!(stage.is("drupal_v2", &first));
    officer.suspend_partner("drupal", now()).await.unwrap();
    within_a_second("suspended", || stage.verifies("drupal_v2").is_none()).await;
    for name in ["nobody", "drupal_v2", "fresh"] {
        let refused = support::refused(officer.suspend_partner(name, now()).await);
        assert!(matches!(refused, Refused::NoSuchPartner(_)), "{name}: {refused:?}");
    }
    // Without a directory, too; and where there is none.
    let other = stage.place.open().await;
    assert!(other.suspend_partner("nobody", now()).await.is_err());
    fs::remove_dir_all(stage.file("")).unwrap();
    assert!(matches!(support::refused(officer.suspend_partner("x", now()).await), Refused::NoSuchPartner(_)));
}
