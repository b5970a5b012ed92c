use std::time::Duration;

use sealpost_api::{
    account::{AccountStatus, AccountView, MemberView, RoleName},
    auth::Session,
    invite::{InviteState, InviteView},
    limits::MAX_INVITE_SECONDS,
    paging::Page,
    routes,
};
use sealpost_crypto::{encoding::Base64, secret::InviteToken};

use crate::testing::{Auth, House, Inviting, Person, on_both, opening};

impl House {
    async fn invites(&self, ops: &Person, query: &str) -> Page<InviteView> {
        self.get(routes::INVITES, &[], query, Auth::Bearer(&ops.tokens)).await.json()
    }

    async fn state_of(&self, inviting: &Inviting) -> InviteState {
        let keys = inviting.code.keys();
        let answer = self.get(routes::INVITE, &[&keys.invite_id], "", Auth::Invitee(&keys.token)).await;
        answer.json::<InviteView>().state
    }

    async fn members(&self, auth: Auth<'_>) -> Vec<(String, AccountStatus)> {
        let page: Page<MemberView> = self.get(routes::MEMBERS, &[], "", auth).await.json();
        let mut members: Vec<_> = page
            .items
            .into_iter()
            .map(|member| (member.opening.email.as_str().to_owned(), member.status))
            .collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members
    }
}

on_both! {
    async fn an_invitee_is_pending_until_certified(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        assert_eq!(house.state_of(&inviting).await, InviteState::Open);
        let bob = house.accept(&inviting).await;
        assert_eq!(house.state_of(&inviting).await, InviteState::Accepted);
        let view: AccountView = house.get(routes::ACCOUNT, &[], "", Auth::Bearer(&bob.tokens)).await.json();
        assert_eq!((view.role, view.status), (RoleName::Client, AccountStatus::Pending));
        assert_eq!(view.inviter, Some(ada.account.user_id()));
        house.get(routes::INVITES, &[], "", Auth::Bearer(&bob.tokens)).await.fails(403, "account_pending");

        let entry = house.certification(&ada, &inviting).await;
        house.append(&ada, entry).await.ok();
        assert_eq!(house.state_of(&inviting).await, InviteState::Certified);
        let view: AccountView = house.get(routes::ACCOUNT, &[], "", Auth::Bearer(&bob.tokens)).await.json();
        assert_eq!(view.status, AccountStatus::Active);
        house.get(routes::INVITES, &[], "", Auth::Bearer(&bob.tokens)).await.fails(403, "role_forbidden");
        assert!(house.log(Auth::Bearer(&bob.tokens)).await.active(bob.account.user_id()).is_some());
    }

    async fn whoever_comes_second_is_told_that_the_invite_was_used(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        let (bob, _) = house.prepare_acceptance(&inviting).await;
        let (eve, _) = house.prepare_acceptance(&inviting).await;
        house.send_acceptance(&inviting, &bob).await.ok();
        house.send_acceptance(&inviting, &eve).await.fails(410, "invite_used");
        // A lost answer can be asked for again.
        let again: Session = house.send_acceptance(&inviting, &bob).await.json();
        house.get(routes::ACCOUNT, &[], "", Auth::Bearer(&again.tokens)).await.ok();
    }

    async fn the_inviter_gets_no_session_by_replaying_the_accept(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        let (bob, _) = house.prepare_acceptance(&inviting).await;
        let (mut forged, _) = house.prepare_acceptance(&inviting).await;
        house.send_acceptance(&inviting, &bob).await.ok();
        // The inviter knows the code, the ACCEPT and the bundle; not what the invitee told the server alone.
        forged.accept = bob.accept.clone();
        forged.registration.bundle = bob.registration.bundle.clone();
        let answer = house.send_acceptance(&inviting, &forged).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
    }

    async fn an_expired_invite_can_be_read_but_not_accepted(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        let (bob, _) = house.prepare_acceptance(&inviting).await;
        house.clock.advance(Duration::from_secs(86_401));
        assert_eq!(house.state_of(&inviting).await, InviteState::Expired);
        house.send_acceptance(&inviting, &bob).await.fails(410, "invite_expired");
        let token = inviting.code.keys().token;
        house.get(routes::LOG, &[], "", Auth::Invitee(&token)).await.fails(410, "invite_expired");
    }

    async fn an_acceptance_is_certified_within_a_week_of_the_expiry(house: House) {
        let ada = house.found().await;
        let [early, late] =
            [house.invite(&ada, "bob@example.org").await, house.invite(&ada, "eve@example.org").await];
        house.accept(&early).await;
        house.accept(&late).await;
        house.clock.advance(Duration::from_secs(86_400 + 7 * 86_400 - 60));
        let ada = Person { tokens: house.login(&ada, crate::testing::PASSWORD).await.json::<Session>().tokens, ..ada };
        let entry = house.certification(&ada, &early).await;
        house.append(&ada, entry).await.ok();
        let entry = house.certification(&ada, &late).await;
        house.clock.advance(Duration::from_secs(120));
        house.append(&ada, entry).await.fails(422, "record_invalid");
    }

    async fn only_its_own_token_opens_an_invite(house: House) {
        let ada = house.found().await;
        let [bob, eve] =
            [house.invite(&ada, "bob@example.org").await, house.invite(&ada, "eve@example.org").await];
        let (bob, eve) = (bob.code.keys(), eve.code.keys());
        let show = async |token| house.get(routes::INVITE, &[&bob.invite_id], "", Auth::Invitee(token)).await;
        show(&bob.token).await.ok();
        show(&eve.token).await.fails(401, "invite_unknown");
        show(&InviteToken::random()).await.fails(401, "invite_unknown");
        house.get(routes::INVITE, &[&bob.invite_id], "", Auth::Nobody).await.fails(401, "invite_unknown");
        let ops = house.get(routes::INVITE, &[&bob.invite_id], "", Auth::Bearer(&ada.tokens)).await;
        ops.fails(401, "invite_unknown");
    }

    async fn the_same_offer_again_gives_the_same_answer(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "bob@example.org").await;
        house.send_offer(&ada, &inviting).await.ok();
        assert_eq!(house.invites(&ada, "").await.items.len(), 1);
    }

    async fn a_new_code_for_the_same_person_replaces_the_old_one(house: House) {
        let ada = house.found().await;
        let first = house.invite(&ada, "bob@example.org").await;
        let second = house.offer(&ada, first.opening.clone(), 86_400).await;
        house.send_offer(&ada, &second).await.ok();
        assert_eq!(house.state_of(&first).await, InviteState::Replaced);
        let (bob, _) = house.prepare_acceptance(&second).await;
        house.send_acceptance(&second, &bob).await.ok();

        // Pending already: a third code, and a second registration in place of the first.
        let third = house.offer(&ada, first.opening.clone(), 86_400).await;
        house.send_offer(&ada, &third).await.ok();
        assert_eq!(house.state_of(&second).await, InviteState::Accepted);
        house.accept(&third).await;
        assert_eq!(house.state_of(&second).await, InviteState::Replaced);
        house.send_acceptance(&second, &bob).await.fails(410, "invite_replaced");
        let entry = house.certification(&ada, &third).await;
        house.append(&ada, entry).await.ok();

        let fourth = house.invite_again(&ada, &first).await;
        fourth.fails(409, "already_member");
    }

    async fn ids_and_addresses_belong_to_one_person(house: House) {
        let ada = house.found().await;
        let bob = house.invite(&ada, "bob@example.org").await;
        // The same user id for somebody else.
        let mut other = opening("eve@example.org", "");
        other.user_id = bob.opening.user_id;
        let other = house.offer(&ada, other, 86_400).await;
        house.send_offer(&ada, &other).await.fails(409, "id_taken");
        // The same address under another id: the newer invite counts, until one was accepted.
        let again = house.invite(&ada, "bob@example.org").await;
        assert_eq!(house.state_of(&bob).await, InviteState::Replaced);
        house.accept(&again).await;
        let third = house.offer(&ada, opening("bob@example.org", ""), 86_400).await;
        house.send_offer(&ada, &third).await.fails(409, "already_member");
        let founder = house.offer(&ada, opening("ada@example.org", ""), 86_400).await;
        house.send_offer(&ada, &founder).await.fails(409, "already_member");
    }

    async fn offers_that_do_not_hold_are_refused(house: House) {
        let ada = house.found().await;
        let bob = house.admit(&ada, "bob@example.org").await;
        let good = house.offer(&ada, opening("eve@example.org", ""), 86_400).await;
        house.send_offer(&bob, &good).await.fails(403, "role_forbidden");
        let mut forged = house.offer(&ada, opening("eve@example.org", ""), 86_400).await;
        forged.opening.email = "eva@example.org".parse().unwrap();
        house.send_offer(&ada, &forged).await.fails(422, "record_invalid");
        let mut long = house.offer(&ada, opening("eve@example.org", ""), 86_400).await;
        long.sealed.sealed_opening = Base64(vec![0; 2_049]);
        house.send_offer(&ada, &long).await.fails(422, "limit_reached");
        let past = house.offer(&ada, opening("eve@example.org", ""), 0).await;
        house.send_offer(&ada, &past).await.fails(422, "record_invalid");
        let far = house.offer(&ada, opening("eve@example.org", ""), MAX_INVITE_SECONDS + 700).await;
        house.send_offer(&ada, &far).await.fails(422, "limit_reached");
        house.send_offer(&ada, &good).await.ok();
    }

    async fn lists_are_paged_and_filtered(house: House) {
        let ada = house.found().await;
        let mut sent = Vec::new();
        for n in 0..5 {
            sent.push(house.invite(&ada, &format!("p{n}@example.org")).await.code.keys().invite_id);
        }
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = house.invites(&ada, &format!("?limit=2{cursor}")).await;
            seen.extend(page.items.iter().map(|invite| invite.invite_id));
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        sent.reverse();
        assert_eq!(seen, sent, "newest first, none twice, none missing");
        assert_eq!(house.invites(&ada, "?state=open").await.items.len(), 5);
        assert_eq!(house.invites(&ada, "?state=expired").await.items.len(), 0);
        for query in ["?limit=0", "?limit=1001", "?cursor=x", "?state=odd"] {
            let answer = house.get(routes::INVITES, &[], query, Auth::Bearer(&ada.tokens)).await;
            answer.fails(400, "malformed_request");
        }
    }

    async fn ops_see_everybody_and_others_see_the_ops(house: House) {
        let ada = house.found().await;
        let bob = house.admit(&ada, "bob@example.org").await;
        let eve = house.invite(&ada, "eve@example.org").await;
        let (active, pending) = (AccountStatus::Active, AccountStatus::Pending);
        let ops = ("ada@example.org".to_owned(), active);
        let everybody =
            vec![ops.clone(), ("bob@example.org".to_owned(), active), ("eve@example.org".to_owned(), pending)];
        assert_eq!(house.members(Auth::Bearer(&ada.tokens)).await, everybody);
        assert_eq!(house.members(Auth::Bearer(&bob.tokens)).await, vec![ops.clone()]);
        assert_eq!(house.members(Auth::Invitee(&eve.code.keys().token)).await, vec![ops]);
        house.get(routes::MEMBERS, &[], "", Auth::Nobody).await.fails(401, "not_signed_in");
        let page: Page<MemberView> =
            house.get(routes::MEMBERS, &[], "?limit=2", Auth::Bearer(&ada.tokens)).await.json();
        let query = format!("?limit=2&cursor={}", page.next_cursor.unwrap());
        let rest: Page<MemberView> =
            house.get(routes::MEMBERS, &[], &query, Auth::Bearer(&ada.tokens)).await.json();
        assert_eq!((page.items.len(), rest.items.len(), rest.next_cursor), (2, 1, None));
    }
}

impl House {
    /// A new code for somebody whose account is certified already: what only a client with an old log would send.
    async fn invite_again(&self, ops: &Person, first: &Inviting) -> crate::testing::Answer {
        let other = opening(first.opening.email.as_str(), "");
        let inviting = self.offer(ops, other, 86_400).await;
        self.send_offer(ops, &inviting).await
    }
}
