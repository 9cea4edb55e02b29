//! s66 for the service: a target that will not do gets no run, and its reason, which pages and comments show, names what to change.

use cc_ci::domain::queue::TargetState;
use cc_ci::engine::service::Round;

use crate::engine::Says;
use crate::scene::Scene;

#[tokio::test]
async fn s66_a_target_that_will_not_do_is_not_used_and_says_why() {
    for (says, names) in Says::UNFIT {
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Scene::begin().await;
        scene.target_at("old", says.listen(folder.path()).await).await;
        scene.round(Round::Targets).await;
        let known = scene.store().targets().await.unwrap().into_iter().find(|it| it.name.as_str() == "old").unwrap();
        assert_eq!(known.state, TargetState::Unknown);
        assert!(known.reason.contains(names), "{}", known.reason);
    }
}
