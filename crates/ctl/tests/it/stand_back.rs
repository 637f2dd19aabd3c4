//! Orders to stand back from a processor, and who has confirmed them.

use feeway_ctl::Ending;
use feeway_domain::{Resolutions, Store};

use crate::desk::Desk;

#[tokio::test]
async fn an_order_is_given_listed_and_ended() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    let front = desk.obedient(&hold);
    let given = desk.ctl(&["stand-back", "default", "--by=ann"]).await;
    let (ending, said) = given.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert_eq!(said, "every front stands back from default\n");
    let order = desk.store.stand_backs().await.unwrap().remove(0);
    // Again, it is the same order.
    let again = desk.ctl(&["stand-back", "default", "--by=ben"]).await;
    assert_eq!(again.unwrap().0, Ending::Fine);
    assert_eq!(desk.store.stand_backs().await, Ok(vec![order]));
    let (_, listed) = desk.ctl(&["stand-back"]).await.unwrap();
    assert!(listed.starts_with("default: since "), "{listed}");
    assert!(
        listed.ends_with("by ann; 1 of 1 fronts stand back\n"),
        "{listed}"
    );
    let (ending, _) = desk.ctl(&["stand-back", "default", "--end"]).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    let (ending, listed) = desk.ctl(&["stand-back"]).await.unwrap();
    assert_eq!((ending, &listed[..]), (Ending::Fine, ""));
    front.abort();
}

#[tokio::test]
async fn a_front_that_does_not_confirm_is_named() {
    let desk = Desk::new().await;
    desk.enlist("front-1.a").await;
    let give = ["stand-back", "default", "--wait=1s", "--by=ann"];
    let (ending, said) = desk.ctl(&give).await.unwrap();
    assert_eq!((ending, &said[..]), (Ending::Not, ""));
    let (_, listed) = desk.ctl(&["stand-back"]).await.unwrap();
    let expected = "by ann; 0 of 1 fronts stand back, waiting for front-1.a\n";
    assert!(listed.ends_with(expected), "{listed}");
}

#[tokio::test]
async fn without_waiting_or_without_fronts_it_is_in_force_at_once() {
    let desk = Desk::new().await;
    let (ending, said) = desk.ctl(&["stand-back", "a"]).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert!(said.starts_with("no front is running"), "{said}");
    desk.enlist("front-1.a").await;
    let (ending, _) = desk.ctl(&["stand-back", "b", "--no-wait"]).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert_eq!(desk.store.stand_backs().await.unwrap().len(), 2);
}

/// Its first answer was lost, and the bytes of the repetition arrive when somebody has ended it.
#[tokio::test]
async fn an_order_that_arrives_late_does_not_come_back() {
    let desk = Desk::new().await;
    let default = "default".parse().unwrap();
    for _ in 0..2 {
        let before = desk.store.last_stand_back(&default).await.unwrap();
        desk.ctl(&["stand-back", "default"]).await.unwrap();
        let token = desk.store.last_stand_back(&default).await.unwrap().unwrap();
        let late = || {
            let after = before.as_deref();
            desk.store.stand_back(&default, after, &token, "ann")
        };
        let in_force = desk.store.stand_backs().await.unwrap();
        assert_eq!(late().await.unwrap(), in_force.into_iter().next());
        let (ending, _) = desk.ctl(&["stand-back", "default", "--end"]).await.unwrap();
        assert_eq!(ending, Ending::Fine);
        assert_eq!(late().await, Ok(None));
        let (_, listed) = desk.ctl(&["stand-back"]).await.unwrap();
        assert_eq!(listed, "");
        let (ending, _) = desk.ctl(&["stand-back", "default", "--end"]).await.unwrap();
        assert_eq!(ending, Ending::Not, "none is in force");
    }
}
