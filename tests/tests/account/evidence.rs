//! Evidence of real deliveries: what it proves, and that nothing in it can be altered.

use std::{collections::BTreeSet, time::Duration};

use sealpost_client::{
    Disclosure, ErrorKind, Examined, Mark, OrgId, Proves, Terms, Verdict, examine_evidence,
};
use sealpost_tests::{
    TestServer,
    alterations::alterations,
    on_both_databases,
    sdk::{self, CLIENT, Device, OPS},
};

const CONTENT: &[u8] = b"The settlement is 42,000.";
const EVE: &str = "eve@example.com";

async fn org_id(device: &Device) -> OrgId {
    device.me.whoami().await.unwrap().org_id
}

fn delivery(bytes: &[u8], org_id: OrgId) -> Result<Verdict, sealpost_client::Error> {
    match examine_evidence(bytes, org_id)? {
        Examined::Delivery(verdict) => Ok(*verdict),
        Examined::Fork(_) => panic!("a fork"),
    }
}

on_both_databases! {
    async fn whatever_is_altered_is_refused_by_its_name(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let eve = ops.welcome(&server.url(), EVE).await;
        let file = ops.upload("settlement.txt", CONTENT).await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        ops.share(file, &eve, Terms::default()).await.unwrap();
        client.download(file).await.unwrap();
        // Two receipts of one second would be one and the same record.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        client.download(file).await.unwrap();
        let org_id = org_id(&ops).await;
        let evidence = ops.me.evidence(file, None, Disclosure::FileKey).await.unwrap();
        let verdict = delivery(evidence.bytes(), org_id).unwrap();
        let mut proved: Vec<_> = verdict.deliveries.iter().map(|to| (to.recipient.email.as_str(), to.proves)).collect();
        proved.sort_unstable_by_key(|(email, _)| *email);
        assert_eq!(proved, [(CLIENT, Proves::Receipt), (EVE, Proves::Sending)]);
        let received = verdict.deliveries.iter().find(|to| to.recipient.email == CLIENT).unwrap();
        assert_eq!(received.receipts.len(), 2, "each download's");

        let document = std::str::from_utf8(evidence.bytes()).unwrap();
        let (mut codes, mut accepted, mut count) = (BTreeSet::new(), Vec::new(), 0);
        for alteration in alterations(document) {
            count += 1;
            match delivery(alteration.text.as_bytes(), org_id) {
                Ok(_) => accepted.push(alteration.name.rsplit('.').next().unwrap().to_owned()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Verification, "{}: {error}", alteration.name);
                    codes.insert(error.code().to_owned());
                }
            }
        }
        // What is left out of honest evidence leaves honest evidence: of less.
        accepted.sort_unstable();
        assert_eq!(accepted, ["file_key: empty", "receipts: without the first", "receipts: without the last"]);
        assert!(count > 1_000, "only {count} alterations");
        for code in [
            "evidence_format", "evidence_malformed", "evidence_order", "evidence_people", "log_sequence",
            "log_bundle_missing", "log_bundle_unexpected", "bundle_mismatch", "position_unproven", "wrong_type",
            "signature_invalid", "opening_mismatch", "part_list_mismatch", "part_count", "metadata_mismatch",
            "commitment_mismatch", "share_sealed_mismatch", "foreign_organisation", "position_malformed",
        ] {
            assert!(codes.contains(code), "nothing ended in {code}: {codes:?}");
        }
        assert_eq!(delivery(evidence.bytes(), OrgId::random()).unwrap_err().code(), "foreign_organisation");
        assert!(delivery(evidence.bytes(), org_id).is_ok(), "the honest one");
    }

    async fn owner_and_recipient_can_prove_the_same_and_name_nobody_else(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let eve = ops.welcome(&server.url(), EVE).await;
        let file = ops.upload("settlement.txt", CONTENT).await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        ops.share(file, &eve, Terms::default()).await.unwrap();
        let org_id = org_id(&ops).await;

        let early = client.me.evidence(file, None, Disclosure::Closed).await.unwrap();
        let verdict = delivery(early.bytes(), org_id).unwrap();
        assert_eq!((verdict.deliveries[0].proves, &verdict.metadata), (Proves::Sending, &None));
        assert_eq!(verdict.deliveries[0].marks, [Mark::NoReceipt]);

        client.download(file).await.unwrap();
        let sent = ops.me.evidence(file, Some(&client.email), Disclosure::Closed).await.unwrap();
        let received = client.me.evidence(file, None, Disclosure::Closed).await.unwrap();
        assert!(sent.bytes() == received.bytes(), "byte for byte the same evidence");
        let verdict = delivery(sent.bytes(), org_id).unwrap();
        assert_eq!((verdict.sender.email.as_str(), verdict.deliveries.len()), (OPS, 1));
        let to = &verdict.deliveries[0];
        assert_eq!((to.recipient.email.as_str(), to.proves, &to.marks[..]), (CLIENT, Proves::Receipt, &[][..]));
        let eves = sealpost_crypto::encoding::to_base64(EVE.as_bytes());
        assert!(!std::str::from_utf8(sent.bytes()).unwrap().contains(&eves), "the other recipient is named");

        let of_others = client.me.evidence(file, Some(&eve.email), Disclosure::Closed).await.unwrap_err();
        assert_eq!(of_others.kind(), ErrorKind::InvalidInput, "{of_others}");
        let nobody = ops.me.evidence(file, Some(&ops.email), Disclosure::Closed).await.unwrap_err();
        assert_eq!((nobody.kind(), nobody.code()), (ErrorKind::NotFound, "not_shared"));
        let strangers = ops.welcome(&server.url(), "mallory@example.com").await;
        let theirs = strangers.me.evidence(file, None, Disclosure::FileKey).await.unwrap_err();
        assert_eq!(theirs.kind(), ErrorKind::NotFound);

        // A share that was ended was made all the same.
        ops.me.unshare(file, &client.email).await.unwrap();
        let ended = ops.me.evidence(file, Some(&client.email), Disclosure::Closed).await.unwrap();
        assert_eq!(delivery(ended.bytes(), org_id).unwrap().deliveries[0].proves, Proves::Receipt);
    }
}
