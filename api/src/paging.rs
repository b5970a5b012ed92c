//! Cursor paging: `?cursor=…&limit=…` in, `next_cursor` out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_PAGE;

/// Query of every paged list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct PageQuery {
    /// `next_cursor` of the page before; absent for the first page. Opaque to clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries wanted, 1 to [`crate::limits::MAX_PAGE`]; large entries may make a page shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_PAGE))]
    pub limit: Option<u32>,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The entries, in a stable order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"AAYTHpWvAADxfgpiuMk9VAAAAAAAAAAA")]
    pub next_cursor: Option<String>,
}
