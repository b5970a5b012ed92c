use super::{ForkError, MAX_BYTES, diverging, is_proof, prove, verify};
use crate::{
    account::Account,
    id::{Digest, OrgId, RecordId, UserId},
    log::{Fork, Log, PositionError, testing::Organisation},
    record::{RawRecord, Signed},
    records::{Certify, Checkpoint, LogPosition, RevokeReason, Role},
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};

/// An organisation of two, and another history that its server shows of the same two entries and one more.
struct Forked {
    organisation: Organisation,
    /// The entries of the other history after genesis.
    branch: Vec<RawRecord>,
    other: Log,
}

impl Forked {
    fn new() -> Self {
        let mut organisation = Organisation::new();
        let mut other = organisation.log.clone();
        organisation.admit(Role::Client);
        let branch = (0..2).map(|_| admit(&mut other, &organisation.founder)).collect();
        Self { organisation, branch, other }
    }

    fn checkpoint(&self, size: u64, head: RecordId, key: &SigningKey) -> RawRecord {
        let org_id = self.organisation.log.org_id();
        Signed::sign(Checkpoint { org_id, log_size: size, log_head: head }, key).unwrap().into_raw()
    }

    fn head(&self, size: u64) -> RecordId {
        self.other.head_at(size).unwrap()
    }

    fn fork(&self, theirs: RawRecord, branch: Vec<RawRecord>) -> Fork {
        let log = &self.organisation.log;
        Fork { size: 2, ours: log.head(), theirs, branch, our_checkpoint: None }
    }

    fn refused(&self, theirs: RawRecord, branch: Vec<RawRecord>) -> ForkError {
        prove(&self.organisation.log, &self.fork(theirs, branch)).unwrap_err()
    }
}

fn admit(log: &mut Log, founder: &Account) -> RawRecord {
    let account = Account::derive(&AccountSeed::random(), log.org_id(), UserId::random(), 1).unwrap();
    let certify = Certify {
        org_id: log.org_id(),
        signer: founder.user_id(),
        signer_bundle: founder.bundle().id(),
        sequence: log.size(),
        previous: log.head(),
        user_id: account.user_id(),
        subject: Digest::random(),
        role: Role::Client,
        bundle: account.bundle().id(),
        generation: 1,
        offer: RecordId::random(),
        replaces: UserId::ZERO,
    };
    let raw = Signed::sign(certify, &founder.keys().signing).unwrap().into_raw();
    log.apply(raw.clone(), Some(account.bundle().raw())).unwrap();
    raw
}

#[test]
fn two_signed_histories_of_one_size_are_proven_to_anybody() {
    let forked = Forked::new();
    let log = &forked.organisation.log;
    let theirs = forked.checkpoint(2, forked.head(2), &forked.organisation.server);
    let position = LogPosition { size: 2, head: forked.head(2), signature: theirs.signature.clone() };
    let Err(PositionError::Fork(fork)) = log.verify_position(&position) else { panic!("no fork") };
    let bytes = prove(log, &fork).unwrap();
    let proven = verify(&bytes, log.org_id()).unwrap();
    assert_eq!((proven.size(), proven.heads()), (2, &[log.head(), forked.head(2)]));
    assert_eq!((proven.org_id(), proven.organisation()), (log.org_id(), log.name()));
    assert_eq!(verify(&bytes, OrgId::random()).unwrap_err().code(), "foreign_organisation");
}

#[test]
fn a_longer_history_that_went_another_way_is_proven_by_its_entries() {
    let forked = Forked::new();
    let log = &forked.organisation.log;
    let theirs = forked.checkpoint(3, forked.head(3), &forked.organisation.server);
    let came = vec![forked.branch[1].clone()];
    let fork = diverging(log, came.clone(), theirs.clone()).unwrap();
    let proven = verify(&prove(log, &fork).unwrap(), log.org_id()).unwrap();
    assert_eq!((proven.size(), proven.heads()), (2, &[log.head(), forked.head(2)]));

    // Without the entries, or with others, it proves nothing.
    assert_eq!(forked.refused(theirs.clone(), vec![]), ForkError::Branch);
    let elsewhere = admit(&mut log.clone(), &forked.organisation.founder);
    assert_eq!(forked.refused(theirs.clone(), vec![elsewhere]), ForkError::Branch);
    let displaced = forked.checkpoint(4, forked.head(3), &forked.organisation.server);
    assert_eq!(forked.refused(displaced, vec![forked.branch[1].clone()]), ForkError::Branch);
    assert_eq!(forked.refused(theirs.clone(), forked.branch.clone()), ForkError::Branch);
    assert_eq!(forked.refused(theirs, vec![forked.branch[0].clone()]), ForkError::Branch);
}

#[test]
fn the_other_history_may_go_on_by_entries_of_any_kind() {
    let forked = Forked::new();
    let (log, founder) = (&forked.organisation.log, &forked.organisation.founder);
    let (mut other, mut came) = (forked.other.clone(), vec![forked.branch[1].clone()]);
    let client = forked.branch[0].claim::<Certify>().unwrap().user_id;
    let revoke = other.ops_signer(founder).unwrap().revoke(client, 1, RevokeReason::Left).unwrap().into_raw();
    other.apply(revoke.clone(), None).unwrap();
    let next = Account::derive(&AccountSeed::random(), log.org_id(), founder.user_id(), 2).unwrap();
    let rotate = other.signer(founder).unwrap().rotate(&next).unwrap().into_raw();
    other.apply(rotate.clone(), Some(next.bundle().raw())).unwrap();
    came.extend([revoke, rotate]);

    let theirs = forked.checkpoint(other.size(), other.head(), &forked.organisation.server);
    let fork = diverging(log, came, theirs).unwrap();
    let proven = verify(&prove(log, &fork).unwrap(), log.org_id()).unwrap();
    assert_eq!((proven.size(), proven.heads()), (2, &[log.head(), forked.head(2)]));
}

#[test]
fn a_server_that_signed_one_history_is_not_accused() {
    let mut forked = Forked::new();
    let server = &forked.organisation.server;
    let log = &forked.organisation.log;
    // Its own earlier and newest statements.
    for size in [1, 2] {
        let earlier = forked.checkpoint(size, log.head_at(size).unwrap(), server);
        assert_eq!(forked.refused(earlier, vec![]), ForkError::SameHistory);
    }
    // A longer log of the same history.
    let mut longer = log.clone();
    let founder = &forked.organisation.founder;
    let next = admit(&mut longer, founder);
    let newest = forked.checkpoint(3, longer.head(), server);
    assert_eq!(forked.refused(newest, vec![next]), ForkError::SameHistory);
    // Size 0 names nothing.
    let nothing = forked.checkpoint(0, RecordId::random(), server);
    assert_eq!(forked.refused(nothing, vec![]), ForkError::Branch);

    // A member signs another head (A69), with their own key or one made for it.
    let made_up = SigningKey::from_seed(&SigningSeed::random());
    for key in [&founder.keys().signing, &made_up] {
        let framed = forked.checkpoint(2, forked.head(2), key);
        assert_eq!(forked.refused(framed, vec![]), ForkError::Unsigned);
    }
    // An Ops member names a key of their own as the server's, and signs two histories with it.
    let signer = forked.organisation.log.ops_signer(founder).unwrap();
    let service = signer.service(made_up.public_key()).unwrap().into_raw();
    forked.organisation.log.apply(service, None).unwrap();
    let (size, head) = (forked.organisation.log.size(), forked.organisation.log.head());
    let own = forked.checkpoint(size, head, &made_up);
    forked.organisation.log.accept_checkpoint(own).unwrap();
    let framed = forked.checkpoint(size, RecordId::random(), &made_up);
    assert_eq!(forked.refused(framed, vec![]), ForkError::KeyNotFounding);
}

#[test]
fn a_changed_proof_is_none() {
    let forked = Forked::new();
    let log = &forked.organisation.log;
    let theirs = forked.checkpoint(2, forked.head(2), &forked.organisation.server);
    let good = String::from_utf8(prove(log, &forked.fork(theirs, vec![])).unwrap()).unwrap();
    let refused = |text: String| verify(text.as_bytes(), log.org_id()).unwrap_err();
    assert_eq!(refused(good.replace("v1/fork", "v2/fork")), ForkError::Format);
    assert_eq!(refused(good.replace("\"branch\":[]", "\"branch\": []")), ForkError::Malformed);
    assert_eq!(refused(good.replace(",\"branch\":[]", "")), ForkError::Malformed);
    let other = good.rfind("\"signature\":\"").unwrap() + 20;
    let flipped = if &good[other..=other] == "A" { "B" } else { "A" };
    assert_eq!(refused([&good[..other], flipped, &good[other + 1..]].concat()), ForkError::Unsigned);
}

#[test]
fn a_file_that_calls_itself_a_proof_is_told_from_others() {
    let forked = Forked::new();
    let theirs = forked.checkpoint(3, forked.head(3), &forked.organisation.server);
    let fork = diverging(&forked.organisation.log, vec![forked.branch[1].clone()], theirs).unwrap();
    let proof = prove(&forked.organisation.log, &fork);
    for (bytes, expected) in [
        (&proof.unwrap()[..], true),
        (br#"{"format":"sealpost/v9/fork"}"#, true),
        (br#"{"format":"sealpost/v1/evidence"}"#, false),
        (br#"{"format":"other/v1/fork"}"#, false),
        (b"no JSON", false),
    ] {
        assert_eq!(is_proof(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_longest_file_is_read_and_no_longer_one() {
    let org_id = Forked::new().organisation.log.org_id();
    assert_eq!(verify(&vec![b' '; MAX_BYTES], org_id).unwrap_err(), ForkError::Format);
    assert_eq!(verify(&vec![b' '; MAX_BYTES + 1], org_id).unwrap_err(), ForkError::TooLong);
}
