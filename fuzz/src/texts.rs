//! Texts that people type, paste, or are sent.

use sealpost_crypto::{
    crockford,
    email::EmailAddress,
    file_name::{display_name, safe_file_name},
    id::{FileId, OrgId},
    invite::{InviteCode, InviteLink},
    kit::{account_key_from_code, seed_from_words},
    secret::InviteSecret,
};

use crate::patch::{Input, patch};

/// Input: edits of a link.
pub(crate) fn invite_code(bytes: &[u8]) {
    let code = InviteCode::from_secret(InviteSecret::take(&mut [1; 16]));
    let changed = patch(code.reveal_link("https://files.example.org").as_bytes(), &mut Input::new(bytes));
    let Ok(text) = String::from_utf8(changed) else { return };
    if let Ok(parsed) = text.parse::<InviteCode>() {
        assert_eq!(parsed.reveal().parse::<InviteCode>().unwrap(), parsed);
        assert_eq!(
            parsed.keys().invite_id,
            InviteCode::from_secret(parsed.secret().clone()).keys().invite_id
        );
    }
    if let Ok(link) = text.parse::<InviteLink>()
        && let Some(server) = &link.server
    {
        assert!(server.starts_with("http://") || server.starts_with("https://"), "{server}");
        assert_eq!(link.code.reveal_link(server).parse::<InviteLink>().unwrap(), link);
    }
}

/// Input: any text, in every place that takes one.
pub(crate) fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(email) = text.parse::<EmailAddress>() {
        assert_eq!(email.as_str().parse::<EmailAddress>().unwrap(), email);
        assert!(
            email.as_str().bytes().all(|byte| (0x21..=0x7e).contains(&byte) && !byte.is_ascii_uppercase())
        );
    }
    let safe = safe_file_name(&text);
    assert!(!safe.as_str().is_empty() && safe.as_str().len() <= 255);
    assert!(!safe.as_str().contains(['/', '\\', '\0', ':']) && !safe.as_str().starts_with(['.', '-']));
    assert_eq!(safe_file_name(safe.as_str()).as_str(), safe.as_str(), "made safe twice");
    assert!(!display_name(&text).chars().any(char::is_control));
    if let Ok(decoded) = crockford::decode(&text) {
        assert_eq!(*crockford::decode(&crockford::encode(&decoded)).unwrap(), *decoded);
    }
    let _ = (seed_from_words(&text), account_key_from_code(&text));
    if let Ok(id) = text.parse::<FileId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<OrgId>() {
        assert_eq!(id.to_string(), text);
    }
}
