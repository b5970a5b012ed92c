//! The recovery kit (protocol §3): everything that brings an account back, for paper.
//!
//! ```text
//! words        = BIP39 English, 24 words of the 32-byte account seed (entropy and checksum, no passphrase)
//! organisation = base32(org_id 32      ‖ first 3 B of SHA-256("…/kit" ‖ 00 ‖ org_id))        56 characters
//! account key  = base32(account key 16 ‖ first 3 B of SHA-256("…/kit" ‖ 00 ‖ account key))   31 characters
//! ```
//!
//! Base32 is Crockford's, in groups of four. The user_id is found through the signing key that the seed gives.

use bip39::{Language, Mnemonic};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    crockford::{self, CrockfordError},
    id::OrgId,
    labels,
    secret::{AccountKey, AccountSeed},
    stack,
};

/// Words on a kit.
pub const WORDS: usize = 24;
/// Bytes of checksum behind each base32 field.
const CHECKSUM: usize = 3;

/// What is wrong with a kit as typed; never the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KitError {
    /// Not 24 words.
    #[error("expected {WORDS} words, found {found}")]
    WordCount {
        /// How many there are.
        found: usize,
    },
    /// A word that the list does not have.
    #[error("word {position} is not in the word list")]
    UnknownWord {
        /// Which, from 1.
        position: usize,
    },
    /// Every word is in the list, but one of them is not the right one, or two changed places.
    #[error("the words do not fit together; one of them is mistyped")]
    WordChecksum,
    /// A base32 field has a character that none can have, or not the right length.
    #[error("the {field} is mistyped: {source}")]
    Code {
        /// Which field.
        field: KitField,
        /// What about it.
        source: CrockfordError,
    },
    /// A base32 field's checksum fails.
    #[error("the {field} is mistyped; its checksum fails")]
    CodeChecksum {
        /// Which field.
        field: KitField,
    },
}

impl KitError {
    /// The stable code of this kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WordCount { .. } => "kit_word_count",
            Self::UnknownWord { .. } => "kit_word_unknown",
            Self::WordChecksum => "kit_word_checksum",
            Self::Code { .. } => "kit_code_mistyped",
            Self::CodeChecksum { .. } => "kit_code_checksum",
        }
    }
}

/// A base32 field on the kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KitField {
    /// The organisation's id.
    Organisation,
    /// The account key.
    AccountKey,
}

impl std::fmt::Display for KitField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Organisation => "organisation code",
            Self::AccountKey => "account key",
        })
    }
}

/// A recovery kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryKit {
    /// The account.
    pub seed: AccountSeed,
    /// The organisation.
    pub org_id: OrgId,
    /// The account key, where the account uses one.
    pub account_key: Option<AccountKey>,
}

/// A kit as it is printed or typed.
pub struct KitText {
    /// 24 words, with single spaces.
    pub words: Zeroizing<String>,
    /// Base32 groups.
    pub organisation: Zeroizing<String>,
    /// Base32 groups.
    pub account_key: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for KitText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KitText(secret)")
    }
}

impl RecoveryKit {
    /// Writes it out.
    pub fn to_text(&self) -> KitText {
        KitText {
            // BIP39 hashes the seed for its checksum.
            words: stack::wiped(|| seed_to_words(&self.seed)),
            organisation: code(self.org_id.as_bytes()),
            account_key: self.account_key.as_ref().map(|key| code(key.expose())),
        }
    }

    /// Reads what a person typed: case, hyphens, white space and numbers between the words do not matter.
    ///
    /// # Errors
    /// [`KitError`] says which word or field is wrong.
    pub fn parse(text: &KitText) -> Result<Self, KitError> {
        let account_key = text.account_key.as_deref().map(|text| account_key_from_code(text)).transpose()?;
        let org_id = read_code(KitField::Organisation, &text.organisation)?;
        Ok(Self { seed: seed_from_words(&text.words)?, org_id: OrgId::new(*org_id), account_key })
    }
}

/// Reads an account key alone, as a login asks for it.
///
/// # Errors
/// [`KitError::Code`], [`KitError::CodeChecksum`].
pub fn account_key_from_code(text: &str) -> Result<AccountKey, KitError> {
    read_code(KitField::AccountKey, text).map(|mut bytes| AccountKey::take(&mut bytes))
}

/// Reads 24 words.
///
/// # Errors
/// [`KitError::WordCount`], [`KitError::UnknownWord`], [`KitError::WordChecksum`].
pub fn seed_from_words(text: &str) -> Result<AccountSeed, KitError> {
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    if let Some(at) = words.iter().position(|word| Language::English.find_word(word).is_none()) {
        return Err(KitError::UnknownWord { position: at + 1 });
    }
    if words.len() != WORDS {
        return Err(KitError::WordCount { found: words.len() });
    }
    let joined = Zeroizing::new(words.join(" "));
    stack::wiped(|| words_to_seed(&joined))
}

fn words_to_seed(words: &str) -> Result<AccountSeed, KitError> {
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, words).map_err(|_| KitError::WordChecksum)?;
    let (mut entropy, _) = mnemonic.to_entropy_array();
    let seed = AccountSeed::from_slice(&entropy[..32]).ok_or(KitError::WordChecksum);
    entropy.zeroize();
    seed
}

fn seed_to_words(seed: &AccountSeed) -> Zeroizing<String> {
    let mnemonic = match Mnemonic::from_entropy_in(Language::English, seed.expose()) {
        Ok(mnemonic) => mnemonic,
        Err(_) => unreachable!("32 bytes are 24 words of BIP39"),
    };
    // The longest word has eight letters.
    let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
    for word in mnemonic.words() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

fn code(bytes: &[u8]) -> Zeroizing<String> {
    let mut checked = Zeroizing::new(Vec::with_capacity(bytes.len() + CHECKSUM));
    checked.extend_from_slice(bytes);
    checked.extend_from_slice(&checksum(bytes));
    crockford::grouped(&crockford::encode(&checked))
}

fn read_code<const N: usize>(field: KitField, text: &str) -> Result<Zeroizing<[u8; N]>, KitError> {
    let decoded = crockford::decode(text.trim()).map_err(|source| KitError::Code { field, source })?;
    let wrong_length = KitError::Code { field, source: CrockfordError::Length };
    let (bytes, check) = decoded.split_last_chunk::<CHECKSUM>().ok_or(wrong_length)?;
    let bytes: Zeroizing<[u8; N]> = Zeroizing::new(bytes.try_into().map_err(|_| wrong_length)?);
    if checksum(&bytes[..]) == *check { Ok(bytes) } else { Err(KitError::CodeChecksum { field }) }
}

/// Guards against mistyping only; 24 bits of a hash of a secret tell nothing that helps to guess 128.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(labels::labelled(labels::KIT, &[bytes]))));
    [digest[0], digest[1], digest[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kit() -> RecoveryKit {
        RecoveryKit {
            seed: AccountSeed::random(),
            org_id: OrgId::random(),
            account_key: Some(AccountKey::random()),
        }
    }

    #[test]
    fn bip39_known_answers() {
        // The reference vectors of BIP39 for 256 bits.
        let zeros = AccountSeed::take(&mut [0; 32]);
        let text = format!("{}art", "abandon ".repeat(23));
        assert_eq!(*seed_to_words(&zeros), text);
        assert_eq!(seed_from_words(&text), Ok(zeros));
        let ones = AccountSeed::take(&mut [0xff; 32]);
        assert_eq!(*seed_to_words(&ones), format!("{}vote", "zoo ".repeat(23)));
    }

    #[test]
    fn round_trips_however_it_is_typed() {
        let kit = kit();
        let text = kit.to_text();
        assert_eq!(RecoveryKit::parse(&text), Ok(kit.clone()));
        let words: String = text
            .words
            .split(' ')
            .enumerate()
            .map(|(n, word)| format!("{}. {}\n", n + 1, word.to_uppercase()))
            .collect();
        let typed = KitText {
            words: Zeroizing::new(words),
            organisation: Zeroizing::new(text.organisation.to_lowercase().replace('-', " ")),
            account_key: text
                .account_key
                .as_ref()
                .map(|key| Zeroizing::new(key.replace('-', "").replace('0', "o"))),
        };
        assert_eq!(RecoveryKit::parse(&typed), Ok(kit));
    }

    #[test]
    fn lengths_are_as_documented() {
        let text = kit().to_text();
        assert_eq!(text.organisation.replace('-', "").len(), 56);
        assert_eq!(text.account_key.unwrap().replace('-', "").len(), 31);
    }

    #[test]
    fn errors_say_which_word_or_field() {
        let mut words: Vec<String> = kit().to_text().words.split(' ').map(str::to_owned).collect();
        let parse = |words: &[String]| seed_from_words(&words.join(" ")).unwrap_err();
        assert_eq!(parse(&words[..23]), KitError::WordCount { found: 23 });
        words[4] = "sealpost".to_owned();
        assert_eq!(parse(&words), KitError::UnknownWord { position: 5 });
        let text = format!("{}zoo", "abandon ".repeat(23));
        assert_eq!(seed_from_words(&text), Err(KitError::WordChecksum));

        let key = kit().to_text().account_key.unwrap();
        let swapped = if key.starts_with('7') { "8" } else { "7" };
        assert_eq!(
            account_key_from_code(&format!("{swapped}{}", &key[1..])),
            Err(KitError::CodeChecksum { field: KitField::AccountKey })
        );
        assert_eq!(
            account_key_from_code(&key[..key.len() - 3]),
            Err(KitError::Code { field: KitField::AccountKey, source: CrockfordError::Length })
        );
        assert_eq!(
            account_key_from_code(&format!("u{}", &key[1..])),
            Err(KitError::Code {
                field: KitField::AccountKey,
                source: CrockfordError::Character { position: 1 }
            })
        );
        // An organisation code is no account key.
        let organisation = kit().to_text().organisation;
        assert!(account_key_from_code(&organisation).is_err());
    }

    #[test]
    fn any_mistyped_character_is_noticed() {
        let text = kit().to_text().organisation;
        for (at, right) in text.char_indices().filter(|(_, c)| *c != '-') {
            let wrong = if right == '2' { '3' } else { '2' };
            let mut typed: Vec<char> = text.chars().collect();
            typed[at] = wrong;
            let typed: String = typed.into_iter().collect();
            assert!(read_code::<32>(KitField::Organisation, &typed).is_err(), "character {at}");
        }
    }
}
