use futures_util::future::join_all;
use sealpost_api::{log::LogPage, problem::Problem, routes};
use sealpost_crypto::{
    account::Account,
    record::RawRecord,
    records::RevokeReason,
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};

use crate::testing::{Auth, House, Person, on_both};

impl House {
    /// The entry at a place of the log.
    async fn entry(&self, ops: &Person, place: u64) -> RawRecord {
        let query = format!("?from={place}&limit=1");
        let page: LogPage = self.get(routes::LOG, &[], &query, Auth::Bearer(&ops.tokens)).await.json();
        page.entries.into_iter().next().unwrap().record
    }
}

on_both! {
    async fn the_same_entry_again_is_fine_and_another_at_its_place_is_not(house: House) {
        let ada = house.found().await;
        let [bob, eve] =
            [house.invite(&ada, "bob@example.org").await, house.invite(&ada, "eve@example.org").await];
        house.accept(&bob).await;
        house.accept(&eve).await;
        let first = house.certification(&ada, &bob).await;
        let rival = house.certification(&ada, &eve).await;
        house.append(&ada, first.clone()).await.ok();
        house.append(&ada, first.clone()).await.ok();
        let problem: Problem = house.append(&ada, rival).await.fails(409, "log_conflict");
        assert_eq!(problem.record, Some(first));
        // The loser signs for the next place.
        let entry = house.certification(&ada, &eve).await;
        house.append(&ada, entry).await.ok();
        assert_eq!(house.log(Auth::Bearer(&ada.tokens)).await.size(), 3);
    }

    async fn of_many_writers_at_one_place_one_wins(house: House) {
        let ada = house.found().await;
        let mut entries = Vec::new();
        for n in 0..6 {
            let inviting = house.invite(&ada, &format!("p{n}@example.org")).await;
            house.accept(&inviting).await;
            entries.push(inviting);
        }
        let records = join_all(entries.iter().map(|entry| house.certification(&ada, entry))).await;
        let answers =
            join_all(records.into_iter().map(|record| house.append(&ada, record))).await;
        let won = answers.iter().filter(|answer| answer.status.is_success()).count();
        let lost = answers.iter().filter(|answer| answer.status.as_u16() == 409).count();
        assert_eq!((won, lost), (1, 5));
        assert_eq!(house.log(Auth::Bearer(&ada.tokens)).await.size(), 2);
    }

    async fn of_many_writers_on_two_servers_one_wins_each_place(house: House) {
        let ada = house.found().await;
        let other = house.second().await;
        let mut waiting = Vec::new();
        for n in 0..8 {
            let inviting = house.invite(&ada, &format!("p{n}@example.org")).await;
            house.accept(&inviting).await;
            waiting.push(inviting);
        }
        for place in 1..=8 {
            let records = join_all(waiting.iter().map(|inviting| house.certification(&ada, inviting))).await;
            // Each entry comes to both servers, so that two race for the last place too.
            let sent: Vec<_> = records.iter().flat_map(|record| [(&house, record), (&other, record)]).collect();
            let racing = sent.iter().map(|(server, record)| server.append(&ada, (*record).clone()));
            let answers = join_all(racing).await;
            let stands = house.entry(&ada, place).await;
            for ((_, record), answer) in sent.into_iter().zip(answers) {
                if *record == stands {
                    answer.ok();
                } else {
                    assert_eq!(answer.fails(409, "log_conflict").record.as_ref(), Some(&stands));
                }
            }
            waiting.remove(records.iter().position(|record| *record == stands).unwrap());
        }
        assert_eq!(other.log(Auth::Bearer(&ada.tokens)).await.size(), 9);
    }

    async fn entries_that_do_not_hold_change_nothing(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        let bob = house.accept(&inviting).await;
        let good = house.certification(&ada, &inviting).await;
        house.append(&bob, good.clone()).await.fails(403, "account_pending");
        let mut forged = good.clone();
        forged.signature = SigningKey::from_seed(&SigningSeed::random()).sign(b"");
        house.append(&ada, forged).await.fails(422, "record_invalid");
        let log = house.log(Auth::Bearer(&ada.tokens)).await;
        let signer = log.ops_signer(&ada.account).unwrap();
        let revoke = signer.revoke(ada.account.user_id(), 1, RevokeReason::Left).unwrap().into_raw();
        let problem = house.append(&ada, revoke).await.fails(422, "record_invalid");
        assert!(problem.detail.contains("no active Ops member"), "{}", problem.detail);
        // A key that the server does not offer: its own, and somebody else's.
        let strange = SigningKey::from_seed(&SigningSeed::random()).public_key();
        for key in [house.server_info().await.checkpoint_key, strange] {
            let service = signer.service(key).unwrap().into_raw();
            house.append(&ada, service).await.fails(422, "record_invalid");
        }
        let next = Account::derive(&AccountSeed::random(), log.org_id(), ada.account.user_id(), 2).unwrap();
        let rotate = log.signer(&ada.account).unwrap().rotate(&next).unwrap().into_raw();
        house.append(&ada, rotate).await.fails(422, "record_invalid");
        // The memory is as the database.
        house.append(&ada, good).await.ok();
    }

    async fn an_entry_without_an_accepted_invite_is_refused(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        house.accept(&inviting).await;
        let entry = house.certification(&ada, &inviting).await;
        let again = house.offer(&ada, inviting.opening.clone(), 86_400).await;
        house.send_offer(&ada, &again).await.ok();
        house.accept(&again).await;
        house.append(&ada, entry).await.fails(422, "record_invalid");
    }

    async fn a_restarted_server_knows_the_log(house: House) {
        let ada = house.found().await;
        house.admit(&ada, "bob@example.org").await;
        let house = house.second().await;
        house.admit(&ada, "eve@example.org").await;
        assert_eq!(house.log(Auth::Bearer(&ada.tokens)).await.size(), 3);
    }

    async fn another_server_on_the_same_database_keeps_up(house: House) {
        let ada = house.found().await;
        let other = house.second().await;
        house.admit(&ada, "bob@example.org").await;
        other.admit(&ada, "eve@example.org").await;
        house.admit(&ada, "joe@example.org").await;
        assert_eq!(other.log(Auth::Bearer(&ada.tokens)).await.size(), 4);
    }

    async fn pages_are_bounded(house: House) {
        let ada = house.found().await;
        house.admit(&ada, "bob@example.org").await;
        let get = async |query: &str| house.get(routes::LOG, &[], query, Auth::Bearer(&ada.tokens)).await;
        let page: LogPage = get("?from=1&limit=1").await.json();
        assert_eq!(page.entries.len(), 1);
        assert_eq!(get("?from=2").await.json::<LogPage>().entries.len(), 0);
        for query in ["?limit=0", "?limit=1001", "?from=-1", "?from=x"] {
            get(query).await.fails(400, "malformed_request");
        }
    }
}
