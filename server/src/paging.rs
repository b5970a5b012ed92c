//! Keyset paging: a cursor is the place of the last row of a page, so a page costs the same wherever it begins
//! and rows that come in between shift nothing.

use sealpost_api::paging::Page;
use sealpost_crypto::encoding::{from_base64, to_base64};

use crate::problem::ApiError;

/// Longest id in a cursor, bytes.
const MAX_ID: usize = 32;

/// A row's place in its list: its time, then its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Microseconds.
    pub at: i64,
    /// Raw bytes.
    pub id: Vec<u8>,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// From the newest row back.
    NewestFirst,
    /// From the oldest row on.
    OldestFirst,
}

impl Place {
    /// Where the page that `cursor` asks for begins; without one, the first page.
    ///
    /// # Errors
    /// `malformed_request` for what no page ever gave out.
    pub(crate) fn after(cursor: Option<&str>, order: Order) -> Result<Self, ApiError> {
        match (cursor, order) {
            (Some(cursor), _) => Self::decode(cursor)
                .ok_or_else(|| ApiError::malformed("The cursor is not one that this server gave out.")),
            (None, Order::NewestFirst) => Ok(Self { at: i64::MAX, id: vec![u8::MAX; MAX_ID] }),
            (None, Order::OldestFirst) => Ok(Self { at: 0, id: Vec::new() }),
        }
    }

    /// As a cursor.
    pub(crate) fn encode(&self) -> String {
        to_base64(&[&self.at.to_be_bytes()[..], &self.id].concat())
    }

    fn decode(cursor: &str) -> Option<Self> {
        let bytes = from_base64(cursor)?;
        let (at, id) = bytes.split_first_chunk()?;
        let known = matches!(id.len(), 16 | MAX_ID);
        known.then(|| Self { at: i64::from_be_bytes(*at), id: id.to_vec() })
    }
}

/// A page of at most `size` out of rows that were fetched with one more, which tells whether there is a next page.
pub(crate) fn page<R, T, E>(
    mut rows: Vec<R>,
    size: u32,
    place: impl Fn(&R) -> Place,
    view: impl FnMut(R) -> Result<T, E>,
) -> Result<Page<T>, E> {
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| place(row).encode());
    Ok(Page { items: rows.into_iter().map(view).collect::<Result<_, _>>()?, next_cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        for id in [vec![7; 16], vec![9; 32]] {
            let place = Place { at: 1_700_000_000_000_000, id };
            assert_eq!(Place::after(Some(&place.encode()), Order::NewestFirst).unwrap(), place);
        }
        for wrong in
            ["", "AAAA", "not base64!", &to_base64(&[1; 8]), &to_base64(&[1; 25]), &to_base64(&[1; 64])]
        {
            assert!(Place::after(Some(wrong), Order::NewestFirst).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let place = |n: &i64| Place { at: *n, id: vec![0; 16] };
        let cut = |rows: Vec<i64>| page(rows, 2, place, Ok::<_, ()>).unwrap();
        assert_eq!((cut(vec![]).items, cut(vec![]).next_cursor), (vec![], None));
        assert_eq!((cut(vec![1, 2]).items, cut(vec![1, 2]).next_cursor), (vec![1, 2], None));
        let full = cut(vec![1, 2, 3]);
        assert_eq!((full.items, full.next_cursor), (vec![1, 2], Some(place(&2).encode())));
    }
}
