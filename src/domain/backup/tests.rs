use std::collections::BTreeMap;

use super::*;
use crate::domain::recipe::compose::Compose;

/// The services of a compose file, as far as backups go.
fn services(compose: &str) -> Vec<ServicePlan> {
    let compose = Compose::parse(compose).unwrap();
    let plan = |(name, service): (String, crate::domain::recipe::compose::Service)| ServicePlan {
        name,
        image: String::new(),
        depends_on: Vec::new(),
        ports: Vec::new(),
        mounts: service.volumes,
        uses: Vec::new(),
        scaled_to_zero: service.deploy.replicas.as_deref() == Some("0"),
        backup_labels: service.deploy.labels.into_iter().collect::<BTreeMap<_, _>>(),
    };
    compose.services.into_iter().map(plan).collect()
}

fn planned(compose: &str) -> BackupPlan {
    backup(&services(compose)).unwrap()
}

fn said(plan: &BackupPlan) -> Vec<String> {
    plan.parts.iter().map(|part| format!("{} in {}", part.said(), part.service)).collect()
}

const TWO: &str = "
services:
  app:
    volumes: ['files:/srv/files', 'config:/etc/app:ro']
    deploy: { labels: ['backupbot.backup=true'] }
  db:
    volumes: ['data:/var/lib/db', 'config:/config', '/anonymous', '/etc/localtime:/etc/localtime:ro']
";

#[test]
fn all_volumes_of_the_stack_unless_a_label_says_otherwise() {
    let plan = planned(TWO);
    assert_eq!(
        said(&plan),
        ["the volume config in db", "the volume data in db", "the volume files in app"],
        "where it can be written comes before where it cannot"
    );
    assert!(plan.covers("data") && !plan.covers("other"));
    assert_eq!(plan.parts[1].asked_for(), "/var/lib/db/.");
    assert_eq!(plan.parts[1].unpacked_in(), "/var/lib/db");
}

#[test]
fn labels_leave_out_and_limit_in_list_and_in_map_form() {
    let list = TWO.replace(
        "['backupbot.backup=true']",
        "['backupbot.backup=true', 'backupbot.backup.volumes.config=false', 'backupbot.backup.volumes.data.path=dump.sql, sub/x,../no']",
    );
    let map = TWO.replace(
        "['backupbot.backup=true']",
        "{ backupbot.backup: 'true', backupbot.backup.volumes.config: 'false', backupbot.backup.volumes.data.path: 'dump.sql, sub/x,../no' }",
    );
    let expected = [
        "/var/lib/db/dump.sql on the volume data in db",
        "/var/lib/db/sub/x on the volume data in db",
        "the volume files in app",
    ];
    assert_eq!(said(&planned(&list)), expected);
    assert_eq!(said(&planned(&map)), expected);
    let plan = planned(&list);
    assert!(!plan.covers("data") && plan.covers("files"));
    assert_eq!(
        (plan.parts[1].unpacked_in(), plan.parts[1].asked_for().as_str()),
        ("/var/lib/db/sub", "/var/lib/db/sub/x")
    );
}

#[test]
fn the_older_label_names_paths_in_its_own_container() {
    let plan = planned(&TWO.replace(
        "['backupbot.backup=true']",
        "['backupbot.backup=true', 'backupbot.backup.path=/srv/files/,/srv/files/a,/opt/x,relative']",
    ));
    assert_eq!(
        said(&plan),
        ["/opt/x of app in app", "the volume files in app", "/srv/files/a on the volume files in app"]
    );
    assert_eq!(plan.parts[0].unpacked_in(), "/opt");
}

#[test]
fn hooks_come_from_labelled_services_without_a_shell_around_them() {
    let plan = planned(
        "
services:
  db:
    volumes: ['data:/data']
    deploy:
      labels:
        backupbot.backup: 'true'
        backupbot.backup.pre-hook: \"sh -c 'pg_dump app > /data/dump.sql'\"
        backupbot.restore.post-hook: \"/pg_backup.sh restore\"
        backupbot.backup.post-hook: \"bash -c 'echo \\\"$$x\\\"'\"
  other:
    deploy: { labels: { backupbot.backup.pre-hook: 'echo nobody asked' } }
",
    );
    let said =
        |hooks: &[Hook]| hooks.iter().map(|hook| format!("{}: {}", hook.service, hook.command)).collect::<Vec<_>>();
    assert_eq!(said(&plan.before_backup), ["db: pg_dump app > /data/dump.sql"]);
    assert_eq!(said(&plan.after_restore), ["db: /pg_backup.sh restore"]);
    assert_eq!(said(&plan.after_backup), ["db: bash -c 'echo \"$$x\"'"], "what a shell must read stays");
    assert!(plan.before_restore.is_empty());
}

#[test]
fn nothing_to_back_up_is_told_from_nothing_that_says_how() {
    let of = |compose: &str| backup(&services(compose)).unwrap_err();
    assert!(of("services: { app: {} }").nothing_to_back_up);
    let no_label = of("services: { app: { volumes: ['a:/a'] } }");
    assert!(!no_label.nothing_to_back_up && no_label.why.contains("no service has"), "{no_label:?}");
    let none = "services: { app: { volumes: ['a:/a'], deploy: { labels: { backupbot.backup: 'true', backupbot.backup.volumes.a: 'false' } } } }";
    let left_out = of(none);
    assert!(!left_out.nothing_to_back_up && left_out.why.contains("leave every volume out"), "{left_out:?}");
    let label = of("services: { app: { deploy: { labels: { backupbot.backup: 'true' } } } }");
    assert!(label.nothing_to_back_up && label.why.contains("no volume to"), "{label:?}");
    let asleep =
        "services: { app: { volumes: ['a:/a'], deploy: { replicas: 0, labels: { backupbot.backup: 'true' } } } }";
    assert!(of(asleep).nothing_to_back_up, "no container holds it");
}
