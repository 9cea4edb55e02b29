//! Lists, page by page, from a forge that is not believed: neither its number of items nor its size of a page. A list
//! ends with an empty page, or with one that is the same as the one before.

use std::collections::HashSet;
use std::hash::Hash;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ForgeError;
use super::wire::{Answer, Request, Wire};

/// More pages of one list are not read.
const MOST_PAGES: usize = 200;
/// More bytes of one list are not read.
const MOST_BYTES: usize = 64 << 20;
/// Sizes of a page: a page that is too large is asked for in smaller ones.
const SIZES: [usize; 4] = [50, 10, 2, 1];
/// So many items that cannot be read are told of.
const MOST_UNREADABLE: usize = 20;

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// In the order of the forge, each once.
    pub items: Vec<T>,
    /// Whether this is all; a cursor must not move past a list that was cut.
    pub complete: bool,
    /// Items that make no sense, and why; the others are not lost for them.
    pub unreadable: Vec<String>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { items: Vec::new(), complete: true, unreadable: Vec::new() }
    }
}

impl<T> Listing<T> {
    /// Adds the readable ones of these items.
    fn take<W: DeserializeOwned>(&mut self, values: Vec<Value>, read: impl Fn(W) -> Result<T, String>) -> Vec<T> {
        let mut found = Vec::new();
        for value in values {
            match serde_json::from_value::<W>(value).map_err(|error| error.to_string()).and_then(&read) {
                Ok(item) => found.push(item),
                Err(why) => self.pass_over(why),
            }
        }
        found
    }

    fn pass_over(&mut self, why: String) {
        if self.unreadable.len() < MOST_UNREADABLE {
            self.unreadable.push(why);
        }
    }
}

impl Wire {
    /// A JSON object.
    pub(super) async fn object<W: DeserializeOwned>(&self, request: &Request) -> Result<W, ForgeError> {
        let answer = self.good(request).await?;
        parse(&request.what, &answer.body)
    }

    /// A list that the forge gives in one piece.
    pub(super) async fn whole_list<W: DeserializeOwned, T>(
        &self,
        request: &Request,
        read: impl Fn(W) -> Result<T, String>,
    ) -> Result<Listing<T>, ForgeError> {
        let answer = self.good(request).await?;
        let mut listing = Listing::default();
        listing.items = listing.take(array(&request.what, &answer.body)?, read);
        Ok(listing)
    }

    /// A list in pages.
    pub(super) async fn list<W: DeserializeOwned, T, K: Hash + Eq>(
        &self,
        request: &Request,
        key: impl Fn(&T) -> K,
        read: impl Fn(W) -> Result<T, String>,
    ) -> Result<Listing<T>, ForgeError> {
        let mut listing = Listing::default();
        let (mut seen, mut bytes, mut received, mut last) = (HashSet::new(), 0, 0, Vec::new());
        let (mut page, mut sizes) = (1, SIZES.into_iter().peekable());
        for _ in 0..MOST_PAGES {
            let size = sizes.peek().copied().unwrap_or(1);
            let answer = match self.good(&request.clone().query("limit", &size).query("page", &page)).await {
                // 50 comments of a megabyte each. Goes on where the list stopped, whatever size its pages really had.
                Err(ForgeError::TooLarge { .. }) if size > 1 => {
                    sizes.next();
                    page = received / sizes.peek().copied().unwrap_or(1) + 1;
                    continue;
                }
                // One item, larger than anything we read: passed over, or nobody behind it is ever heard.
                Err(ForgeError::TooLarge { limit, .. }) => {
                    listing.pass_over(format!("one is larger than {limit} bytes"));
                    received += 1;
                    page += 1;
                    continue;
                }
                answer => answer?,
            };
            let values = array(&request.what, &answer.body)?;
            let count = values.len();
            if count == 0 || answer.body == last {
                return Ok(listing);
            }
            let found = listing.take(values, &read);
            listing.items.extend(found.into_iter().filter(|item| seen.insert(key(item))));
            bytes += answer.body.len();
            last = answer.body;
            received += count;
            page += 1;
            if bytes > MOST_BYTES {
                break;
            }
        }
        listing.complete = false;
        Ok(listing)
    }

    /// An answer of the 2xx kind.
    pub(super) async fn good(&self, request: &Request) -> Result<Answer, ForgeError> {
        let answer = self.read(request).await?;
        if answer.is_success() { Ok(answer) } else { Err(self.refusal(&request.what, &answer).into()) }
    }
}

/// Go writes an empty list as `null` here and there.
fn array(what: &str, body: &[u8]) -> Result<Vec<Value>, ForgeError> {
    /// What a search finds is one level deeper.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Found {
        List(Option<Vec<Value>>),
        Search { data: Option<Vec<Value>> },
    }
    let (Found::List(found) | Found::Search { data: found }) = parse(what, body)?;
    Ok(found.unwrap_or_default())
}

pub(super) fn parse<W: DeserializeOwned>(what: &str, body: &[u8]) -> Result<W, ForgeError> {
    serde_json::from_slice(body)
        .map_err(|error| ForgeError::Unreadable { what: what.to_owned(), why: error.to_string() })
}
