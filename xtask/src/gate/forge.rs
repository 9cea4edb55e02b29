//! What the deployed gate watches: an organisation with one recipe and one pull request.

use anyhow::Result;

use crate::forge::{Organisation, PullRequest};
use crate::lab::Places;

const RECIPE: &str = "good";

/// An organisation with a pull request.
pub(super) struct Forge {
    /// As the gate and the targets reach it.
    pub(super) url: String,
    /// The organisation's name.
    pub(super) organisation: String,
    /// The bot's token.
    pub(super) token: String,
    /// The pull request's head.
    pub(super) head: String,
    there: Organisation,
    pull: PullRequest,
}

impl Forge {
    /// Makes them all.
    pub(super) fn furnish(places: &Places) -> Result<Self> {
        let there = Organisation::furnish("demo", places)?;
        there.recipe(RECIPE, &places.checkout)?;
        let pull = there.change(RECIPE, "change")?;
        Ok(Self {
            url: "http://forge.lab:3000".to_owned(),
            organisation: there.name.clone(),
            token: there.token.clone(),
            head: pull.head.clone(),
            there,
            pull,
        })
    }

    /// The login of one of its people.
    pub(super) fn login(&self, who: &str) -> String {
        self.there.login(who)
    }

    /// Writes on the pull request.
    pub(super) fn say(&self, text: &str) -> Result<()> {
        self.there.say(&self.pull, text).map(drop)
    }

    /// What the bot has said there: text and address of each comment.
    pub(super) fn answers(&self) -> Result<Vec<(String, String)>> {
        Ok(self.there.answers(&self.pull)?.into_iter().map(|it| (it.body, it.page)).collect())
    }
}
