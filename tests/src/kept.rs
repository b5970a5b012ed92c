//! A server that remembers: what it keeps of somebody's sign-in, to be put back when they have changed it.

use sealpost_client::UserId;

use crate::TestServer;

/// What the server keeps of somebody's sign-in, laid aside in a row of an account that has ended.
pub struct KeptAccount {
    copy: String,
    original: String,
}

impl KeptAccount {
    /// Lays aside what is kept now.
    pub async fn take(server: &TestServer, of: UserId) -> Self {
        let (original, copy) = (server.literal(&of), server.literal(&UserId::random()));
        let kept = "email, name, salt, role, bundle_id, bundle, signing_key, opaque_record, credential_id, credential, \
                    epoch, envelope, inviter";
        let copied = format!(
            "INSERT INTO accounts (user_id, status, created_at, {kept}) SELECT {copy}, 3, 0, {kept} FROM accounts \
             WHERE user_id = {original}"
        );
        server.execute(copied).await;
        Self { copy, original }
    }

    /// Puts it back, over what has come since.
    pub async fn restore(&self, server: &TestServer) {
        self.restore_only(server, &["opaque_record", "credential_id", "credential", "epoch", "envelope"])
            .await;
    }

    /// Puts some of it back.
    pub async fn restore_only(&self, server: &TestServer, columns: &[&str]) {
        let Self { copy, original } = self;
        let old = |column: &&str| {
            format!("{column} = (SELECT old.{column} FROM accounts old WHERE old.user_id = {copy})")
        };
        let columns = columns.iter().map(old).collect::<Vec<_>>().join(", ");
        server.execute(format!("UPDATE accounts SET {columns} WHERE user_id = {original}")).await;
    }
}
