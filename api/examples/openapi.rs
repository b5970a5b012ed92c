//! Prints the OpenAPI document; `cargo xtask docs` writes it to `docs/openapi.json`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(sealpost_api::openapi::to_json().as_bytes())
}
