//! Subjects and their openings (protocol §4). The log holds a commitment to each person's address and name;
//! the server keeps the openings, and whoever uses one checks it against the commitment.
//!
//! ```text
//! subject = SHA-256("sealpost/v1/subject" ‖ 00 ‖ salt 32 ‖ user_id 16 ‖ u16 length ‖ e-mail ‖ u16 length ‖ name)
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    email::{EmailAddress, EmailError},
    encoding::Text,
    error::failures,
    id::{Digest, UserId},
    labels,
    log::{ActiveMember, Log, MAX_NAME_BYTES},
};

failures! {
    /// Why an opening was refused.
    #[derive(Copy)]
    OpeningError {
        /// Another address, name or person than was committed to.
        Mismatch = "opening_mismatch", "the address or name is not the one that was certified";
        /// Longer than [`MAX_NAME_BYTES`].
        NameTooLong = "name_too_long", "a name has at most 256 bytes";
        /// Nobody of that id was certified.
        NotAMember = "opening_unknown", "the address belongs to nobody in the organisation";
    }
}

failures! {
    /// Why an address leads to nobody.
    #[derive(Copy)]
    ResolveError {
        /// No active member has it.
        Unknown = "recipient_unknown", "nobody in the organisation has this address";
        /// Two active members have it: the organisation has to end one.
        Ambiguous = "recipient_ambiguous", "two accounts in the organisation have this address";
    }
}

/// A person's address and name, with the salt that hides them inside a subject. Not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The account.
    pub user_id: UserId,
    /// 32 random bytes.
    pub salt: Digest,
    /// Address.
    pub email: EmailAddress,
    /// Name, at most [`MAX_NAME_BYTES`] bytes; empty for Clients.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NAME_BYTES), example = &"Olga Ops"))]
    pub name: String,
}

/// An opening encoded as strictly as a record (§4.2): beside an OFFER, and in evidence.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpeningPayload {
    user_id: UserId,
    salt: Digest,
    email: Text,
    name: Text,
}

/// An opening that agrees with a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedOpening {
    opening: Opening,
    subject: Digest,
}

impl From<&Opening> for OpeningPayload {
    fn from(opening: &Opening) -> Self {
        Self {
            user_id: opening.user_id,
            salt: opening.salt,
            email: Text(opening.email.as_str().to_owned()),
            name: Text(opening.name.clone()),
        }
    }
}

impl OpeningPayload {
    /// What it says, if it names an address.
    pub(crate) fn opening(self) -> Result<Opening, EmailError> {
        let Self { user_id, salt, email, name } = self;
        Ok(Opening { user_id, salt, email: email.0.parse()?, name: name.0 })
    }
}

impl Opening {
    /// The commitment to this opening.
    ///
    /// # Errors
    /// [`OpeningError::NameTooLong`].
    pub fn subject(&self) -> Result<Digest, OpeningError> {
        let (email, name) = (self.email.as_str(), self.name.as_str());
        if name.len() > MAX_NAME_BYTES {
            return Err(OpeningError::NameTooLong);
        }
        let bytes = labels::labelled(
            labels::SUBJECT,
            &[
                self.salt.as_bytes(),
                self.user_id.as_bytes(),
                &(email.len() as u16).to_be_bytes(),
                email.as_bytes(),
                &(name.len() as u16).to_be_bytes(),
                name.as_bytes(),
            ],
        );
        Ok(Digest::new(Sha256::digest(bytes).into()))
    }

    /// Checks it against `subject`, from the log or from a verified OFFER.
    pub fn verify(self, subject: Digest) -> Result<VerifiedOpening, OpeningError> {
        if self.subject()? == subject {
            Ok(VerifiedOpening { opening: self, subject })
        } else {
            Err(OpeningError::Mismatch)
        }
    }
}

impl VerifiedOpening {
    /// The account.
    pub fn user_id(&self) -> UserId {
        self.opening.user_id
    }

    /// Address.
    pub fn email(&self) -> &EmailAddress {
        &self.opening.email
    }

    /// Name; empty for Clients. Shown only after control characters were made harmless.
    pub fn name(&self) -> &str {
        &self.opening.name
    }

    /// The commitment that it opens.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// As it travels.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }
}

impl Log {
    /// Checks an opening against the subject that was certified for its account.
    pub fn verify_opening(&self, opening: Opening) -> Result<VerifiedOpening, OpeningError> {
        let member = self.member(opening.user_id).ok_or(OpeningError::NotAMember)?;
        opening.verify(member.subject)
    }

    /// The one active member whose verified opening has the address `email`: the only way from an address to
    /// keys.
    pub fn resolve<'a, 'o>(
        &'a self,
        openings: impl IntoIterator<Item = &'o VerifiedOpening>,
        email: &EmailAddress,
    ) -> Result<ActiveMember<'a>, ResolveError> {
        let mut found: Option<ActiveMember<'a>> = None;
        for opening in openings.into_iter().filter(|opening| opening.email() == email) {
            let Some(active) = self.active(opening.user_id()) else { continue };
            if active.member().subject != opening.subject() {
                continue;
            }
            if found.is_some_and(|other| other.member().user_id != opening.user_id()) {
                return Err(ResolveError::Ambiguous);
            }
            found = Some(active);
        }
        found.ok_or(ResolveError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::testing::Organisation,
        records::{RevokeReason, Role},
    };

    fn opening() -> Opening {
        Opening {
            user_id: UserId::new([2; 16]),
            salt: Digest::new([1; 32]),
            email: "bob@example.org".parse().unwrap(),
            name: "Bob".to_owned(),
        }
    }

    #[test]
    fn the_subject_is_sha_256_over_the_bytes_of_the_specification() {
        let mut bytes = b"sealpost/v1/subject\0".to_vec();
        bytes.extend([1; 32]);
        bytes.extend([2; 16]);
        bytes.extend(b"\0\x0fbob@example.org\0\x03Bob");
        assert_eq!(opening().subject().unwrap().as_bytes()[..], Sha256::digest(bytes)[..]);
    }

    #[test]
    fn every_field_is_committed_to() {
        let subject = opening().subject().unwrap();
        let verified = opening().verify(subject).unwrap();
        assert_eq!((verified.email().as_str(), verified.name()), ("bob@example.org", "Bob"));
        let changed = [
            Opening { user_id: UserId::new([3; 16]), ..opening() },
            Opening { salt: Digest::ZERO, ..opening() },
            Opening { email: "eve@example.org".parse().unwrap(), ..opening() },
            Opening { name: "Eve".to_owned(), ..opening() },
            // The lengths keep address and name apart.
            Opening { email: "bob@example.orgb".parse().unwrap(), name: "ob".to_owned(), ..opening() },
        ];
        for changed in changed {
            assert_eq!(changed.verify(subject), Err(OpeningError::Mismatch));
        }
    }

    #[test]
    fn names_have_a_limit() {
        let longest = Opening { name: "n".repeat(MAX_NAME_BYTES), ..opening() };
        assert!(longest.subject().is_ok());
        let longer = Opening { name: "n".repeat(MAX_NAME_BYTES + 1), ..opening() };
        assert_eq!(longer.subject(), Err(OpeningError::NameTooLong));
    }

    #[test]
    fn an_address_leads_to_the_one_active_member_who_has_it() {
        let mut organisation = Organisation::new();
        let bob = organisation.admit_as(Role::Client, "bob@example.org");
        let email = "bob@example.org".parse().unwrap();
        let openings = organisation.openings();
        assert_eq!(organisation.log.resolve(&openings, &email).unwrap().member().user_id, bob.user_id());
        assert_eq!(
            organisation.log.resolve(&openings, &"eve@example.org".parse().unwrap()).unwrap_err(),
            ResolveError::Unknown
        );

        // A second account with the same address blocks until one of them is ended.
        organisation.admit_as(Role::Client, "bob@example.org");
        let openings = organisation.openings();
        assert_eq!(organisation.log.resolve(&openings, &email).unwrap_err(), ResolveError::Ambiguous);
        organisation.revoke(&bob, RevokeReason::Left);
        assert_ne!(organisation.log.resolve(&openings, &email).unwrap().member().user_id, bob.user_id());
    }

    #[test]
    fn the_server_can_relabel_nobody() {
        let mut organisation = Organisation::new();
        let bob = organisation.admit_as(Role::Client, "bob@example.org");
        let stranger = Opening { user_id: UserId::random(), ..opening() };
        assert_eq!(organisation.log.verify_opening(stranger), Err(OpeningError::NotAMember));
        let relabelled = Opening { user_id: bob.user_id(), ..opening() };
        assert_eq!(organisation.log.verify_opening(relabelled.clone()), Err(OpeningError::Mismatch));
        // Verified against a subject of the attacker's own choice, it still resolves to nobody.
        let subject = relabelled.subject().unwrap();
        let forged = [relabelled.verify(subject).unwrap()];
        assert_eq!(
            organisation.log.resolve(&forged, &"bob@example.org".parse().unwrap()).unwrap_err(),
            ResolveError::Unknown
        );
    }
}
