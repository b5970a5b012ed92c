//! Entries of ours in the organisation's log (protocol §5.5).

use sealpost_api::{
    log::{AppendLog, LogAppended},
    routes,
};
use sealpost_crypto::{log::Log, record::RawRecord};

use crate::{contention::Contention, error::Result, server::Call, signed_in::Inner};

impl Inner {
    /// Appends what `sign` makes of the log; when another entry gets in first, syncs, and asks it again, so that it looks
    /// anew at what was wanted. `None` says that nothing is left to be done. The same bytes are sent again after passing
    /// faults.
    pub(crate) async fn append_entry(
        &self,
        sign: impl Fn(&Log) -> Result<Option<RawRecord>> + Send,
    ) -> Result<()> {
        let mut races = Contention::default();
        loop {
            let signed = sign(&*self.log().await)?;
            let Some(record) = signed else { return Ok(()) };
            let outcome: Result<LogAppended> =
                self.caller.post(Call::new(routes::APPEND_LOG, &[]), &AppendLog { record }).await;
            match outcome {
                Ok(_) => return self.synced_log().await.map(drop),
                Err(error) if error.code() == "log_conflict" => {
                    races.lost("log_conflict", "others keep changing the organisation's log").await?;
                    drop(self.synced_log().await?);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
