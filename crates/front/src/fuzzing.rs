//! The parsers of queries, for the fuzz targets alone.

use feeway_domain::{Cursor, Listed, Listing, Window};

use crate::{listing, window_query};

/// The window of a summary's query, or the detail of its refusal.
pub fn window(query: &str) -> Result<Window, String> {
    window_query::parse(Some(query)).map_err(|error| error.to_string())
}

/// What a listing's query asks for, or the detail of its refusal.
pub fn listing(query: &str) -> Result<Listing, String> {
    listing::parse(Some(query)).map_err(|error| error.to_string())
}

/// A place in a listing as the `next` of a page gives it.
pub fn cursor(listed: Listed, cursor: &Cursor) -> String {
    listing::write_cursor(listed, cursor)
}
