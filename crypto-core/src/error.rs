//! How refusals are declared: one small enum per operation, a sentence for people and a stable code for
//! programs and for the negative test vectors. Codes never change; `docs/protocol.md` lists them.

/// Declares an error enum. Each kind has its code and its sentence; kinds listed under `from` pass on the code
/// and the sentence of another enum.
macro_rules! failures {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$vdoc:meta])* $variant:ident = $code:literal, $text:literal;)*
        }
        $(from { $($(#[$fdoc:meta])* $outer:ident($inner:ty),)* })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $(
                $(#[$vdoc])*
                #[error($text)]
                $variant,
            )*
            $($(
                $(#[$fdoc])*
                #[error(transparent)]
                $outer(#[from] $inner),
            )*)?
        }

        impl $name {
            /// The codes that this enum adds.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// The stable code of this kind.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                    $($(Self::$outer(inner) => inner.code(),)*)?
                }
            }
        }
    };
}
pub(crate) use failures;

/// Declares a failure of one single kind: where a secret is involved, why is nobody's business.
macro_rules! opaque_failure {
    ($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($text)]
        pub struct $name;

        impl $name {
            /// The stable code of this kind.
            pub const fn code(&self) -> &'static str {
                $code
            }
        }
    };
}
pub(crate) use opaque_failure;
