//! Contacts and the twelve words.

use sealpost_client::{ContactStatus, ErrorKind, Role, Terms};
use sealpost_tests::{TestServer, on_every_backend};

use crate::people::{OPS, founder};

on_every_backend! {
    async fn both_sides_read_the_same_twelve_words_and_others_do_not(server: TestServer) {
        let ops = founder(&server).await;
        let carl = ops.welcome(&server, "carl@example.com").await;
        ops.welcome(&server, "dora@example.com").await;
        let of_ops = ops.session.verify(&"carl@example.com".parse().unwrap()).await.unwrap();
        let of_carl = carl.session.verify(&OPS.parse().unwrap()).await.unwrap();
        assert_eq!(of_ops.words, of_carl.words);
        assert_eq!((of_carl.person.name.as_str(), of_carl.role), ("Olga", Role::Ops));
        let of_dora = ops.session.verify(&"dora@example.com".parse().unwrap()).await.unwrap();
        assert_ne!(of_ops.words, of_dora.words);
    }

    async fn words_are_given_for_active_members_only(server: TestServer) {
        let ops = founder(&server).await;
        let carl = ops.invite(&server, "carl@example.com").await;
        let kind = async |person: &crate::people::Person, email: &str| {
            person.session.verify(&email.parse().unwrap()).await.unwrap_err().kind()
        };
        assert_eq!(kind(&ops, "carl@example.com").await, ErrorKind::RecipientPending);
        assert_eq!(kind(&ops, "nobody@example.com").await, ErrorKind::RecipientUnknown);
        assert_eq!(kind(&ops, OPS).await, ErrorKind::InvalidInput);
        assert_eq!(kind(&carl, OPS).await, ErrorKind::AccountPending);
    }

    async fn ops_see_everybody_and_clients_only_ops(server: TestServer) {
        let ops = founder(&server).await;
        let carl = ops.welcome(&server, "carl@example.com").await;
        ops.welcome(&server, "dora@example.com").await;
        ops.invite(&server, "erik@example.com").await;
        let file = ops.upload("a").await.file_id;
        ops.session.share(file, &["carl@example.com".parse().unwrap()], Terms::default()).await.unwrap();

        let seen = ops.session.contacts().await.unwrap();
        let seen: Vec<_> =
            seen.iter().map(|c| (c.person.email.as_str(), c.role, c.status, c.has_shares)).collect();
        assert_eq!(seen, [
            ("carl@example.com", Role::Client, ContactStatus::Active, true),
            ("dora@example.com", Role::Client, ContactStatus::Active, false),
            ("erik@example.com", Role::Client, ContactStatus::Pending, false),
        ]);

        carl.session.shared(None).await.unwrap();
        let seen = carl.session.contacts().await.unwrap();
        let seen: Vec<_> = seen.iter().map(|c| (c.person.email.as_str(), c.role, c.has_shares)).collect();
        assert_eq!(seen, [(OPS, Role::Ops, true)]);
    }
}
