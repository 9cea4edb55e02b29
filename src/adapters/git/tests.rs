//! Repositories as people have them, and those that mean ill.

use super::*;
use crate::domain::base::Tag;

/// A repository `notes` with one commit of an empty `compose.yml` and these files.
async fn repository(more: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("notes");
    std::fs::create_dir(&place).unwrap();
    for (name, text) in [("compose.yml", "services: {}\n")].iter().chain(more) {
        std::fs::write(place.join(name), text).unwrap();
    }
    let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
    let commit = [me.as_slice(), &["commit", "-qm", "first"]].concat();
    for arguments in [["init", "--quiet", "-b", "main"].as_slice(), &["add", "."], &commit] {
        git(&place, "test", arguments).await.unwrap();
    }
    (folder, place)
}

#[tokio::test]
async fn a_repository_is_read_at_a_reference_and_a_directory_as_it_is() {
    let (_folder, place) = repository(&[]).await;
    let run = async |arguments: &[&str]| git(&place, "test", arguments).await.unwrap();
    run(&["branch", "old"]).await;
    std::fs::write(place.join("compose.yml"), "services: {app: {}}\n").unwrap();
    std::fs::write(place.join("new.txt"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.join("link")).unwrap();

    let here = read(place.to_str().unwrap()).await.unwrap();
    assert!(here.revision.dirty && here.chaos_version.ends_with("+U"));
    assert_eq!(here.files.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["compose.yml", "new.txt"]);

    let there = read(&format!("file://{}@old", place.display())).await.unwrap();
    assert!(!there.revision.dirty);
    assert_eq!(there.files.text("compose.yml").unwrap(), "services: {}\n");
    assert_eq!((there.name.as_str(), there.chaos_version.len()), ("notes", 8));
}

#[tokio::test]
async fn a_repository_cannot_have_its_filters_run() {
    let (folder, place) = repository(&[(".gitattributes", "* filter=evil\n")]).await;
    let run = async |arguments: &[&str]| git(&place, "test", arguments).await.unwrap();
    let canary = folder.path().join("canary");
    run(&["config", "filter.evil.clean", &format!("touch {}; cat", canary.display())]).await;
    // A new time makes git look at the content again.
    std::fs::write(place.join("compose.yml"), "services: {}\n").unwrap();
    assert!(!read(place.to_str().unwrap()).await.unwrap().revision.dirty);
    std::fs::write(place.join("compose.yml"), "services: {app: {}}\n").unwrap();
    assert!(read(place.to_str().unwrap()).await.unwrap().revision.dirty);
    assert!(!canary.exists(), "a filter of the repository was run");
}

#[tokio::test]
async fn errors_say_what_to_give() {
    let error = read("notes-typo").await.unwrap_err().to_string();
    assert!(error.contains("neither a directory nor a git URL") && error.contains("hint:"), "{error}");
}

/// A repository `notes` with the tags `1.0.0+1` (annotated), `1.1.0+1` (lightweight) and `tree` (no commit), and a head behind them.
async fn with_tags() -> (tempfile::TempDir, PathBuf) {
    let (folder, place) = repository(&[("abra.sh", "export A=1\n")]).await;
    let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
    let run = async |arguments: &[&str]| git(&place, "test", &[&me, arguments].concat()).await.unwrap();
    run(&["tag", "-am", "first", "1.0.0+1"]).await;
    std::fs::write(place.join("compose.yml"), "services: {app: {}}\n").unwrap();
    std::fs::write(place.join("größe.txt"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.join("link")).unwrap();
    run(&["add", "."]).await;
    run(&["commit", "-qm", "second"]).await;
    run(&["tag", "1.1.0+1"]).await;
    run(&["tag", "tree", "HEAD^{tree}"]).await;
    run(&["commit", "--allow-empty", "-qm", "third"]).await;
    (folder, place)
}

fn told(mut tags: Vec<Tag>) -> Vec<(String, bool)> {
    tags.sort_by(|one, other| one.name.cmp(&other.name));
    tags.into_iter().map(|tag| (tag.name, tag.annotated)).collect()
}

#[tokio::test]
async fn tags_and_older_files_are_read_from_a_directory_a_clone_and_the_other_side() {
    let (_folder, place) = with_tags().await;
    let url = format!("file://{}", place.display());
    let here = open(place.to_str().unwrap()).await.unwrap();
    let clone = open(&url).await.unwrap();
    let head = here.source.revision.commit.clone().unwrap();
    let there = open_commit(&url, &here.source.name, &head).await.unwrap();
    let versions = [("1.0.0+1".to_owned(), true), ("1.1.0+1".to_owned(), false)];
    for (opened, how) in [(&here, "directory"), (&clone, "clone"), (&there, "other side")] {
        let tags = opened.tags().await.unwrap().unwrap();
        // A tree is no commit; `ls-remote` cannot tell it from a lightweight tag.
        let tags: Vec<Tag> = tags.into_iter().filter(|tag| tag.name != "tree").collect();
        assert_eq!(told(tags.clone()), versions, "{how}");
        for (name, files) in
            [("1.0.0+1", ["abra.sh", "compose.yml"].as_slice()), ("1.1.0+1", &["abra.sh", "compose.yml", "größe.txt"])]
        {
            let commit = opened.commit(name).await.unwrap();
            assert_eq!(
                tags.iter().find(|tag| tag.name == name).unwrap().commit,
                commit,
                "{how}: the commit, not the tag"
            );
            let read = opened.files_at(&commit).await.unwrap();
            assert_eq!(read.iter().map(|(path, _)| path).collect::<Vec<_>>(), files, "{how}: no links");
        }
        let old = opened.files_at(&opened.commit("1.0.0+1").await.unwrap()).await.unwrap();
        assert_eq!(old.text("compose.yml").unwrap(), "services: {}\n", "{how}");
        let error = opened.commit("9.9.9+9").await.unwrap_err().to_string();
        assert!(error.contains("no tag, branch or commit `9.9.9+9`"), "{how}: {error}");
    }
    assert_eq!(here.commit("HEAD").await.unwrap(), head);
}

#[tokio::test]
async fn a_directory_without_history_has_no_tags() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("notes");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("compose.yml"), "services: {}\n").unwrap();
    let opened = open(place.to_str().unwrap()).await.unwrap();
    assert_eq!(opened.tags().await.unwrap(), None);
    assert!(matches!(opened.commit("main").await, Err(SourceError::NoRepository(_))));
}

#[tokio::test]
async fn an_older_commit_that_is_too_large_is_refused_before_it_is_read() {
    let big = "x".repeat(crate::domain::recipe::files::MAX_BYTES + 1);
    let (_folder, place) = repository(&[("big", &big)]).await;
    let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
    let run = async |arguments: &[&str]| git(&place, "test", &[&me, arguments].concat()).await.unwrap();
    run(&["tag", "1.0.0+1"]).await;
    run(&["rm", "-q", "big"]).await;
    run(&["commit", "-qm", "smaller"]).await;
    let opened = open(place.to_str().unwrap()).await.unwrap();
    let commit = opened.commit("1.0.0+1").await.unwrap();
    let error = opened.files_at(&commit).await.unwrap_err();
    assert!(matches!(error, SourceError::Files(FileError::TooLarge)), "{error}");
}

#[tokio::test]
async fn a_partial_clone_cannot_have_its_missing_objects_fetched_by_a_program_of_its_own() {
    let (folder, place) = with_tags().await;
    let run = async |arguments: &[&str]| git(&place, "test", arguments).await.unwrap();
    run(&["config", "uploadpack.allowFilter", "true"]).await;
    let partial = folder.path().join("partial").join("notes");
    std::fs::create_dir(folder.path().join("partial")).unwrap();
    let url = format!("file://{}", place.display());
    let clone = ["clone", "-q", "--filter=blob:none", "--", &url, partial.to_str().unwrap()];
    remotely(folder.path(), "test", &clone).await.unwrap();
    let canary = folder.path().join("canary");
    let evil = format!("touch {}; false", canary.display());
    for (key, value) in [("core.sshCommand", evil.as_str()), ("remote.origin.url", "ssh://nowhere.invalid/x")] {
        git(&partial, "test", &["config", key, value]).await.unwrap();
    }
    let opened = open(partial.to_str().unwrap()).await.unwrap();
    let commit = opened.commit("1.0.0+1").await.unwrap();
    assert!(opened.files_at(&commit).await.is_err(), "the older files are not there");
    assert!(!canary.exists(), "a program of the repository was run");
}
