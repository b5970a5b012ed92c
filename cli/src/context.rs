//! What every command works with: printer, prompter, and the way to the server.

use std::path::PathBuf;

use sealpost_client::{
    Anonymous, Authorities, ClientBuilder, EmailAddress, ErrorKind, ServerUrl, SignedIn, WatchEvent,
};

pub use crate::sign_in::as_password as password;
use crate::{
    args::{GlobalArgs, KeepArgs, KeyringArg},
    config::{Config, Home},
    failure::{Failure, Outcome},
    keys::Keys,
    output::{self, WatchLine},
    printer::{Format, Printer, Show},
    prompt::{PasswordSource, Prompter},
    renewal,
    sign_in::sign_in,
    text,
};

/// Everything a command needs beside its own arguments.
pub struct Context {
    /// Where output goes.
    pub printer: Printer,
    /// Whom to ask.
    pub prompter: Prompter,
    /// Where this identity lives.
    pub home: Home,
    server: Option<String>,
    email: Option<String>,
    ca: Option<PathBuf>,
    keyring: Option<KeyringArg>,
    /// How this device keeps its keys.
    pub keys: Keys,
}

impl Context {
    /// Merges flags and environment (clap did those) with the configuration file.
    pub fn new(global: &GlobalArgs, printer: Printer) -> Outcome<Self> {
        let home = Home::new(global.home.as_deref())?;
        printer.detail(&format!("Configuration: {}", home.config.display()));
        printer.detail(&format!("Keys and session: {}", home.state.display()));
        let config = Config::load(&home.config)?;
        let password_file = global.password_file.clone().or(config.password_file);
        Ok(Self {
            printer,
            prompter: Prompter::new(PasswordSource::new(password_file, global.password_stdin), global.yes),
            server: global.server.clone().or(config.server),
            email: config.email,
            ca: global.ca.clone().or(config.ca),
            keyring: config.keyring,
            keys: Keys::new(&home.state),
            home,
        })
    }

    /// The address given, else the configured one, else asked for.
    pub async fn email(&self, given: Option<EmailAddress>) -> Outcome<EmailAddress> {
        let typed = match (given, &self.email) {
            (Some(email), _) => return Ok(email),
            (None, Some(email)) => Some(email.clone()),
            (None, None) => self.prompter.line("E-mail address: ").await?,
        };
        let text = typed.ok_or_else(|| {
            Failure::usage("no e-mail address was given").hint("Add --email ADDRESS, or set SEALPOST_EMAIL.")
        })?;
        text.parse::<EmailAddress>()
            .map_err(|error| Failure::usage(error.to_string()).hint("Give an address like name@example.org."))
    }

    /// The server's address: `given` (in an invite link), else as flag, environment or file say.
    pub fn server_or(&self, given: Option<&str>) -> Outcome<ServerUrl> {
        let server = given.or(self.server.as_deref()).ok_or_else(|| {
            Failure::usage("no server was named").hint("Add --server URL, or set SEALPOST_SERVER.")
        })?;
        Ok(server.parse()?)
    }

    /// Somebody without a session on that server, who will sign in and keep the keys as chosen.
    pub async fn anonymous(&self, server: &ServerUrl, keep: KeepArgs) -> Outcome<Anonymous> {
        let choice = keep.keyring.or(self.keyring).unwrap_or_default();
        Ok(self.client()?.connect(server, self.keys.choose(choice, &self.printer, &self.prompter).await?)?)
    }

    /// How the server is reached, and who vouches for it.
    fn client(&self) -> Outcome<ClientBuilder> {
        let client = ClientBuilder::new();
        let Some(path) = &self.ca else { return Ok(client) };
        let pem = std::fs::read(path).map_err(|error| Failure::local("read", path, &error))?;
        let authorities = Authorities::from_pem(&pem)
            .map_err(|error| Failure::from(error).about(&path.display().to_string()))?;
        Ok(client.authorities(authorities))
    }

    /// The person signed in on this device.
    pub async fn signed_in(&self) -> Outcome<SignedIn> {
        let session = self.session_here().await?;
        self.admit_in_passing(&session).await?;
        self.renew_in_passing(&session).await?;
        self.complete_in_passing(&session).await?;
        Ok(session)
    }

    /// The person signed in on this device, at the server that is named; nothing is done in passing.
    pub async fn session_here(&self) -> Outcome<SignedIn> {
        let session = self.session().await?;
        self.check_server(&session)?;
        self.with_current_keys(session).await
    }

    /// Somebody whose keys were changed on another device is asked for the password, and goes on. Scripts are told.
    async fn with_current_keys(&self, session: SignedIn) -> Outcome<SignedIn> {
        if !self.prompter.interactive() {
            return Ok(session);
        }
        match session.whoami().await {
            Err(error) if error.kind() == ErrorKind::AccountRotated => {
                self.printer.note("Your keys were changed on another device. Sign in again to go on.");
                let store = self.keys.open(&self.prompter).await?;
                let anonymous = self.client()?.connect(&session.server().parse()?, store)?;
                let password = self.prompter.password().await?;
                let email = self.email(session.email().parse().ok()).await?;
                sign_in(anonymous, &email, &password, None, &self.prompter).await
            }
            // The command meets it too, and says it.
            _ => Ok(session),
        }
    }

    /// Makes anew what this account shares, after its keys were changed, if that was interrupted.
    async fn renew_in_passing(&self, session: &SignedIn) -> Outcome {
        if session.rotation_waits()? {
            self.printer.warn(
                "the change of your keys that you began has not been made, and the old keys hold: sealpost rotate",
            );
        }
        match session.renew_shares().await {
            Ok(renewal) => {
                renewal::tell(&renewal, session.email(), &self.printer);
                if !renewal.shares.is_empty() {
                    let shares = output::count(renewal.shares.len() as u64, "share");
                    self.printer.note(&format!("{shares} made anew under your new keys."));
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Verification => {
                self.printer.warn(&format!("what you share was not made anew under your new keys: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The session that this device holds, as it is.
    pub async fn session(&self) -> Outcome<SignedIn> {
        Ok(self.client()?.resume(self.keys.open(&self.prompter).await?).await?)
    }

    /// A named server other than the session's must not be ignored in silence.
    fn check_server(&self, session: &SignedIn) -> Outcome {
        let Some(named) = &self.server else { return Ok(()) };
        let named: ServerUrl = named.parse()?;
        if named.as_str() == session.server() {
            return Ok(());
        }
        let message = format!("this device is signed in at {}, not at {named}", session.server());
        Err(Failure::usage(message).hint("Leave the server out, or name another folder with --home."))
    }

    /// Shares what was queued for people who have been certified. One that does not verify must not stop everything.
    async fn complete_in_passing(&self, session: &SignedIn) -> Outcome {
        match session.complete_queued().await {
            Ok(settled) => {
                let line = |settled| WatchLine::from(WatchEvent::Settled(settled));
                settled.into_iter().map(line).for_each(|line| self.printer.note(line.human().trim_end()));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Verification => {
                self.printer.warn(&format!("not everything that was queued was shared: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Certifies who accepted an invite of this account. What is wrong with one of them must not stop everything.
    async fn admit_in_passing(&self, session: &SignedIn) -> Outcome {
        match session.admit_accepted().await {
            Ok(admitted) => {
                for person in admitted.certified {
                    self.printer.note(&format!("{} has joined: admitted.", text::safe(&person.email)));
                }
                for person in admitted.waiting {
                    let email = text::safe(&person.email);
                    self.printer
                        .note(&format!("{email} has joined and waits for you: sealpost confirm {email}"));
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Verification => {
                self.printer.warn(&format!("nobody who accepted an invite was admitted: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The printer that the flags ask for.
pub fn printer(global: &GlobalArgs) -> Printer {
    let format = match (global.json, global.quiet) {
        (true, _) => Format::Json,
        (_, true) => Format::Ids,
        _ => Format::Human,
    };
    Printer::new(format, global.verbose > 0)
}
