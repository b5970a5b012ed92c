//! Whole lists, page by page, from a server that may lie: a list that has no end is refused before it fills the
//! memory.

use sealpost_api::{limits::MAX_PAGE, paging::Page};

use crate::error::{Error, Result};

/// Most pages that are fetched of one list: a million entries.
const MAX_PAGES: usize = 1_000;

/// Every entry of a list. `fetch` asks for the page of [`MAX_PAGE`] entries at a cursor.
///
/// # Errors
/// [`crate::ErrorKind::Server`] if a page is longer than was asked for, or the list never ends.
pub(crate) async fn all<T, F>(fetch: impl Fn(Option<String>) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<Page<T>>>,
{
    let (mut items, mut cursor) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = fetch(cursor).await?;
        if page.items.len() > MAX_PAGE as usize {
            break;
        }
        let is_last = page.next_cursor.is_none() || page.items.is_empty();
        items.extend(page.items);
        if is_last {
            return Ok(items);
        }
        cursor = page.next_cursor;
    }
    Err(Error::unexpected("the server sends a list that has no end"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn page(items: usize, more: bool) -> Page<()> {
        Page { items: vec![(); items], next_cursor: more.then(|| "on".to_owned()) }
    }

    #[tokio::test]
    async fn lists_end() {
        let asked = Cell::new(0);
        let fetch = |cursor: Option<String>| {
            asked.set(asked.get() + 1);
            assert_eq!(cursor.is_some(), asked.get() > 1);
            std::future::ready(Ok(page(3, asked.get() < 4)))
        };
        assert_eq!(all(fetch).await.unwrap().len(), 12);
        let endless = all(|_| std::future::ready(Ok(page(1, true)))).await;
        assert_eq!(endless.unwrap_err().code(), "unexpected_answer");
        let flood = all(|_| std::future::ready(Ok(page(MAX_PAGE as usize + 1, false)))).await;
        assert_eq!(flood.unwrap_err().code(), "unexpected_answer");
        assert_eq!(all(|_| std::future::ready(Ok(page(0, true)))).await.unwrap().len(), 0);
    }
}
