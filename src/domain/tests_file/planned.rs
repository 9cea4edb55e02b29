//! For tests: a recipe as a run would deploy it.

use super::TestsFile;
use crate::domain::deployment::{Deployment, Facts, plan};
use crate::domain::ids::{DomainName, RecipeName, StackName};
use crate::domain::recipe::RecipeFiles;

pub(super) fn planned(files: &RecipeFiles, name: &str, tests: &TestsFile) -> (Deployment, DomainName) {
    let domain = DomainName::parse("ccabcd.ci.lab.test").unwrap();
    let facts = Facts {
        stack: StackName::of_domain(&domain).unwrap(),
        domain: domain.clone(),
        recipe: RecipeName::parse(name).unwrap(),
        commit: "09bf4d54".to_owned(),
        forced: [].into(),
        overrides: tests.env.clone(),
    };
    (plan(files, &facts).unwrap(), domain)
}
