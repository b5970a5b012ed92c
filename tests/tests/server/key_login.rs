//! Signing in with the account's key: what a device or a script does that has no password.

use sealpost_api::limits::REFRESH_TOKEN_SECONDS;
use sealpost_client::{AccountSeed, ErrorKind, store::MemoryStore};
use sealpost_crypto::id::OrgId;
use sealpost_tests::{
    TestServer, on_every_backend,
    sdk::{self, Device, address, anonymous},
};

fn seed(device: &Device) -> AccountSeed {
    AccountSeed::from_slice(&device.blob("seed").expect("a seed")).expect("32 bytes")
}

async fn org_id(device: &Device) -> OrgId {
    device.me.whoami().await.expect("signed in").org_id
}

on_every_backend! {
    async fn a_kit_signs_in_on_a_fresh_device_without_the_password(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &client, Default::default()).await.unwrap();
        let store = MemoryStore::new();
        let fresh = anonymous(&server.url(), &store);
        let org_id = org_id(&client).await;
        let me = fresh.login_with_seed(&client.email, org_id, seed(&client)).await.unwrap();
        let fresh = Device { email: client.email.clone(), password: String::new(), store, me };
        assert_eq!(fresh.download(file).await.unwrap(), b"content");
    }

    async fn a_key_opens_its_own_account_and_organisation_only(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let org_id = org_id(&client).await;
        let login = async |email: &str, org_id, seed| {
            let store = MemoryStore::new();
            let outcome = anonymous(&server.url(), &store).login_with_seed(&address(email), org_id, seed).await;
            outcome.map(drop).unwrap_err()
        };
        let unknown = login(sdk::CLIENT, org_id, AccountSeed::random()).await;
        assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::LoginFailed, "login_failed"));
        let foreign = login(sdk::CLIENT, OrgId::random(), seed(&client)).await;
        assert_eq!((foreign.kind(), foreign.code()), (ErrorKind::Verification, "foreign_organisation"));
        let other = login(sdk::CLIENT, org_id, seed(&ops)).await;
        assert_eq!(other.kind(), ErrorKind::InvalidInput);
    }

    async fn a_device_goes_on_by_its_key_when_its_session_has_ended(server: TestServer) {
        let (_, client) = sdk::organisation(&server).await;
        let session = client.blob("session");
        server.execute("DELETE FROM sessions".into()).await;
        client.me.whoami().await.expect("a new session, by the key");
        assert_ne!(client.blob("session"), session, "the new one is kept");

        // The clocks are a month apart: no key counts, and a person has to look at the clock.
        server.pass_time(REFRESH_TOKEN_SECONDS + 1);
        let refused = client.me.whoami().await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::LoginFailed, "clock_off"));
    }
}
