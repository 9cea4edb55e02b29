//! What the fake knows, and what people do there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::deliveries::Parcel;

/// What an account may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    Read,
    Write,
    Admin,
}

/// A member of an organisation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// What its teams may do with every repository.
    pub(crate) right: Right,
    /// Whether everybody may see that it is one.
    pub(crate) public: bool,
}

#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) login: String,
    pub(crate) scopes: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Organisation {
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) hooks: Vec<FakeHook>,
}

#[derive(Debug, Default)]
pub(crate) struct Repo {
    pub(crate) id: i64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) archived: bool,
    pub(crate) private: bool,
    pub(crate) branches: BTreeMap<String, String>,
    /// On the default branch.
    pub(crate) files: BTreeMap<String, String>,
    /// Name, own id, commit.
    pub(crate) tags: Vec<(String, String, String)>,
    pub(crate) collaborators: BTreeMap<String, Right>,
    pub(crate) commits: BTreeSet<String>,
    pub(crate) pulls: BTreeMap<i64, FakePull>,
    /// Plain issues.
    pub(crate) issues: BTreeSet<i64>,
    pub(crate) statuses: Vec<FakeStatus>,
    pub(crate) hooks: Vec<FakeHook>,
}

#[derive(Debug)]
pub(crate) struct FakePull {
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) open: bool,
    pub(crate) locked: bool,
    pub(crate) branch: String,
    pub(crate) sha: String,
    /// `owner/name` of the fork; `None` once it is deleted.
    pub(crate) head_repo: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Id, when, by whom, forced, commits.
    pub(crate) pushes: Vec<(i64, Timestamp, String, bool, Vec<String>)>,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeComment {
    pub(crate) id: i64,
    pub(crate) repo: i64,
    pub(crate) number: i64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Who reacted, and how.
    pub(crate) reactions: BTreeSet<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeStatus {
    pub(crate) sha: String,
    pub(crate) state: String,
    pub(crate) context: String,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeHook {
    pub(crate) id: i64,
    pub(crate) url: String,
    pub(crate) content_type: String,
    pub(crate) secret: String,
    pub(crate) events: BTreeSet<String>,
    pub(crate) active: bool,
}

/// Everything there is. Keys are as written; accounts and repositories in tests are lower case.
#[derive(Debug)]
pub(crate) struct World {
    /// Stands still unless a test moves it.
    pub(crate) now: Timestamp,
    next: i64,
    pub(crate) users: BTreeMap<String, i64>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) organisations: BTreeMap<String, Organisation>,
    pub(crate) repos: BTreeMap<String, Repo>,
    /// Old name, new name.
    pub(crate) moved: BTreeMap<String, String>,
    pub(crate) comments: BTreeMap<i64, FakeComment>,
    pub(super) parcels: Vec<Parcel>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            now: Timestamp::from_second(1_795_502_646).unwrap(),
            next: 1,
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            organisations: BTreeMap::new(),
            repos: BTreeMap::new(),
            moved: BTreeMap::new(),
            comments: BTreeMap::new(),
            parcels: Vec::new(),
        }
    }
}

impl World {
    pub(crate) fn id(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn tick(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn user(&mut self, login: &str) {
        let id = self.id();
        self.users.entry(login.to_owned()).or_insert(id);
    }

    /// A token of this account, which is made if need be.
    pub(crate) fn token(&mut self, login: &str, scopes: &[&str]) -> String {
        self.user(login);
        let token = format!("token-{}-of-{login}", self.id());
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.tokens.insert(token.clone(), Token { login: login.to_owned(), scopes });
        token
    }

    pub(crate) fn member(&mut self, organisation: &str, login: &str, member: Member) {
        self.user(login);
        self.organisations.entry(organisation.to_owned()).or_default().members.insert(login.to_owned(), member);
    }

    /// A repository with one commit on `main`.
    pub(crate) fn repo(&mut self, full: &str) {
        let (owner, name) = full.split_once('/').unwrap();
        let (id, sha) = (self.id(), format!("{:040x}", self.id() + 0xc0de));
        let repo = Repo {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            branches: BTreeMap::from([("main".to_owned(), sha.clone())]),
            commits: BTreeSet::from([sha]),
            ..Repo::default()
        };
        self.repos.insert(full.to_owned(), repo);
    }

    pub(crate) fn of(&mut self, full: &str) -> &mut Repo {
        self.repos.get_mut(full).unwrap()
    }

    pub(crate) fn pull_mut(&mut self, full: &str, number: i64) -> &mut FakePull {
        self.of(full).pulls.get_mut(&number).unwrap()
    }

    fn number(repo: &Repo) -> i64 {
        repo.pulls.keys().chain(&repo.issues).max().map_or(1, |last| last + 1)
    }

    pub(crate) fn issue(&mut self, full: &str) -> i64 {
        let repo = self.of(full);
        let number = Self::number(repo);
        repo.issues.insert(number);
        number
    }

    /// A pull request; `from` is the repository of its branch.
    pub(crate) fn pull(&mut self, full: &str, author: &str, sha: &str, from: &str) -> i64 {
        self.user(author);
        let (id, now) = (self.id(), self.now);
        let repo = self.of(full);
        let number = Self::number(repo);
        repo.commits.insert(sha.to_owned());
        let pull = FakePull {
            number,
            title: "A change".to_owned(),
            author: author.to_owned(),
            open: true,
            locked: false,
            branch: "change".to_owned(),
            sha: sha.to_owned(),
            head_repo: Some(from.to_owned()),
            created: now,
            updated: now,
            // To the timeline, the opening is a push too.
            pushes: vec![(id, now, author.to_owned(), false, vec![sha.to_owned()])],
        };
        repo.pulls.insert(number, pull);
        self.tell_of_pull(full, number, "opened", author);
        number
    }

    pub(crate) fn push(&mut self, full: &str, number: i64, by: &str, sha: &str, forced: bool) {
        let (ids, now) = ([self.id(), self.id()], self.now);
        self.of(full).commits.insert(sha.to_owned());
        let pull = self.pull_mut(full, number);
        pull.pushes.push((ids[0], now, by.to_owned(), false, vec![sha.to_owned()]));
        // A rewritten history is told of twice: what came, and from where to where.
        if forced {
            pull.pushes.push((ids[1], now, by.to_owned(), true, vec![pull.sha.clone(), sha.to_owned()]));
        }
        (pull.sha, pull.updated) = (sha.to_owned(), now);
        self.tell_of_pull(full, number, "synchronized", by);
    }

    pub(crate) fn set_open(&mut self, full: &str, number: i64, by: &str, open: bool) {
        let now = self.now;
        let pull = self.pull_mut(full, number);
        (pull.open, pull.updated) = (open, now);
        self.tell_of_pull(full, number, if open { "reopened" } else { "closed" }, by);
    }

    pub(crate) fn tag(&mut self, full: &str, name: &str, by: &str, annotated: bool) {
        let own = format!("{:040x}", self.id() + 0x7a6);
        let repo = self.of(full);
        let sha = repo.branches.get("main").unwrap().clone();
        let id = if annotated { own } else { sha.clone() };
        repo.tags.insert(0, (name.to_owned(), id, sha));
        self.tell_of_tag(full, name, by);
    }

    pub(crate) fn push_branch(&mut self, full: &str, branch: &str, by: &str, sha: &str) {
        let repo = self.of(full);
        repo.commits.insert(sha.to_owned());
        repo.branches.insert(branch.to_owned(), sha.to_owned());
        self.tell_of_push(full, branch, by);
    }

    pub(crate) fn rename(&mut self, full: &str, to: &str) {
        let mut repo = self.repos.remove(full).unwrap();
        to.split_once('/').unwrap().1.clone_into(&mut repo.name);
        self.repos.insert(to.to_owned(), repo);
        self.moved.insert(full.to_owned(), to.to_owned());
    }

    /// Writes a comment on a pull request or issue.
    pub(crate) fn comment(&mut self, full: &str, number: i64, author: &str, body: &str) -> i64 {
        self.user(author);
        let (id, now, repo) = (self.id(), self.now, self.of(full));
        if let Some(pull) = repo.pulls.get_mut(&number) {
            pull.updated = now;
        }
        let comment = FakeComment {
            id,
            repo: repo.id,
            number,
            author: author.to_owned(),
            body: body.to_owned(),
            created: now,
            updated: now,
            reactions: BTreeSet::new(),
        };
        self.comments.insert(id, comment);
        self.tell_of_comment(id, "created", author);
        id
    }

    pub(crate) fn edit(&mut self, id: i64, by: &str, body: &str) {
        let now = self.now;
        let comment = self.comments.get_mut(&id).unwrap();
        if comment.body != body {
            (comment.body, comment.updated) = (body.to_owned(), now);
        }
        self.tell_of_comment(id, "edited", by);
    }

    pub(crate) fn delete(&mut self, id: i64, by: &str) {
        self.tell_of_comment(id, "deleted", by);
        self.comments.remove(&id);
    }

    /// The bodies of a conversation, in order.
    pub(crate) fn conversation(&self, full: &str, number: i64) -> Vec<(String, String)> {
        let repo = self.repos.get(full).unwrap().id;
        let here = self.comments.values().filter(|comment| comment.repo == repo && comment.number == number);
        here.map(|comment| (comment.author.clone(), comment.body.clone())).collect()
    }

    /// What this account may do; nothing where it may not even see.
    pub(crate) fn right(&self, login: &str, repo: &Repo) -> Option<Right> {
        let member = self.organisations.get(&repo.owner).and_then(|it| it.members.get(login)).map(|it| it.right);
        let own = repo.collaborators.get(login).copied();
        let public = (!repo.private).then_some(Right::Read);
        [member, own, public].into_iter().flatten().max()
    }
}
