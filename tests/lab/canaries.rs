//! Canaries: recipes of which the right verdict and cause are known. The few that show most; all of them are run by the command itself.

use serde_json::Value;

use crate::support::lab;

#[test]
fn s73_the_smoke_set_is_judged_as_declared_kind_service_and_rung() {
    let lab = lab();
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("canaries.json");
    let mut command = lab.cc_ci(&["canary", "--smoke", "--target", lab.name]);
    command.arg("--runner-image").arg(lab.image()).arg("--json").arg(&json);
    let output = command.output().unwrap();
    let (table, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{table}\n{said}");
    let judged: Vec<Value> = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(judged.len(), 8, "{table}");
    for one in &judged {
        for what in ["verdict", "kind", "service", "rung"] {
            assert_eq!(one[what], one["expected"][what], "{what} of {one:#}");
        }
    }
    let greens = judged.iter().filter(|one| one["verdict"] == "green" && one["kind"].is_null()).count();
    assert!(greens >= 2, "nothing good is among them: {table}");
    assert!(table.contains("8 of 8 as declared"), "{table}");
    lab.assert_untouched();
}
