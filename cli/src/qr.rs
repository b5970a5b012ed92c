//! The QR code of an invite link, for a telephone's camera.

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// Two modules per character, dark on light turned round for dark terminals; empty if the text does not fit.
pub fn render(text: &str) -> String {
    match QrCode::with_error_correction_level(text, EcLevel::L) {
        Ok(code) => {
            code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n"
        }
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_and_an_essay_does_not() {
        let code = render("https://sealpost.example/join#ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345-6789");
        assert!(code.lines().count() > 10);
        assert!(code.lines().all(|line| line.chars().count() <= 60));
        assert_eq!(render(&"x".repeat(10_000)), "");
    }
}
