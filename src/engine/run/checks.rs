//! Checks: what the maintainers say must hold, looked at all at once, in an order that changes from run to run.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::inside::{Place, told};
use super::pages::{NoPage, REDIRECTS};
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::inside;
use crate::adapters::docker::probe_container::{ProbeContainerError, probe};
use crate::domain::checks::{self, Answer, Checked, order};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::floor::{Seen, page};
use crate::domain::ids::DomainName;
use crate::domain::ready;
use crate::domain::results::{By, count, ms_between, one_line};
use crate::domain::stage::Stage;
use crate::domain::suite::Suite;
use crate::domain::tests_file::{Act, Check, CheckKind, How, HttpCheck};
use crate::engine::EngineError;

/// The fact with what the checks saw after the upgrade.
pub(super) const UPGRADE_CHECKS: &str = "upgrade_checks";
/// The same of the fresh deploy.
pub(super) const CHECKS: &str = "checks";
/// The same of the extra checks.
pub(super) const EXTRA: &str = "extra_checks";
/// What looking takes beside the time of what is looked at.
const BESIDE: Duration = Duration::from_secs(15);
/// A suite's image must come, and all of it must go.
const SUITE_BESIDE: Duration = Duration::from_mins(17);
/// So many at once.
const AT_ONCE: usize = 8;
/// Lines of what a check said that are evidence.
pub(super) const LINES: usize = 40;

impl Run {
    /// The checks on the fresh deploy.
    pub(super) async fn checks(&self, live: &mut Live) -> Result<(), Stop> {
        self.declared(live, Stage::Checks, &self.tests().checks, CHECKS).await
    }

    /// The extra checks.
    pub(super) async fn extra(&self, live: &mut Live) -> Result<(), Stop> {
        self.declared(live, Stage::Extra, &self.tests().extras, EXTRA).await
    }

    async fn declared(&self, live: &mut Live, stage: Stage, checks: &[Check], key: &'static str) -> Result<(), Stop> {
        self.enter(live, stage).await?;
        let deployment = self.deployment(live)?;
        let (live, place) = (&*live, Place { stage, deployment: &deployment });
        let carried_out = self.carry_out(live, place, checks, key);
        self.watched(live, self.phase(stage.name(), By::App, carried_out)).await
    }

    /// Looks at everything, and stores what was seen. All that does not hold is told, not only the first.
    pub(super) async fn carry_out(
        &self,
        live: &Live,
        place: Place<'_>,
        checks: &[Check],
        key: &'static str,
    ) -> Result<(), Stop> {
        if checks.is_empty() {
            return Ok(());
        }
        let seed = self.plan.run.as_str();
        self.log.say(format!("{}, in the order of seed {seed}", count(checks.len(), "check", "checks")));
        let mut looks = Vec::new();
        for check in order(checks, seed) {
            looks.push(self.look(live, place, &check.name, &check.kind, check.timeout).boxed());
        }
        let seen: Vec<Checked> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        let (mut findings, mut facts, mut flakes) = (Vec::new(), Vec::new(), Vec::new());
        // Told in the order of the file.
        for check in checks {
            let Some(checked) = seen.iter().find(|checked| checked.name == check.name) else { continue };
            let mut checked = checked.clone();
            if !checked.holds {
                // Whose fault it is is not known before it has failed twice.
                let again = self.look(live, place, &check.name, &check.kind, check.timeout).await?;
                if again.holds {
                    flakes.push(checks::flaked(&check.name, &checked.seen));
                    checked = Checked { second_look: true, ..again };
                } else {
                    findings.push(self.does_not_hold(live, place.stage, check, &checked));
                }
            }
            facts.push(checked);
        }
        for flake in flakes {
            self.note_flake(live, place.stage, flake).await?;
        }
        self.store_shown(key, &facts).await?;
        if findings.is_empty() { Ok(()) } else { Err(Stop::Failed(findings)) }
    }

    /// Something that passed on the second try: it turns nothing red, and the ledger counts it.
    pub(super) async fn note_flake(&self, live: &Live, stage: Stage, sentence: String) -> Result<(), Stop> {
        let known = self.gate.store.findings(&self.plan.run).await.map_err(EngineError::from)?;
        // A stage that another process began is gone through again.
        if known.iter().all(|finding| finding.kind != FindingKind::Flake || finding.sentence != sentence) {
            let finding = Finding { rung: None, ..Finding::new(FindingKind::Flake, stage, live.now(), sentence) };
            self.log.say(format!("flake: {} ({})", finding.sentence, stage.name()));
            self.gate.store.add_finding(&self.plan.run, &self.masked(&finding)).await.map_err(EngineError::from)?;
        }
        Ok(())
    }

    fn does_not_hold(&self, live: &Live, stage: Stage, check: &Check, checked: &Checked) -> Finding {
        let sentence = checks::failed(&check.name, &checked.seen);
        let finding = Finding::new(FindingKind::CheckFailed, stage, live.now(), sentence);
        let finding =
            if checked.output.is_empty() { finding } else { finding.with("what it said", checked.output.clone()) };
        match &check.kind {
            CheckKind::Http(_) | CheckKind::Container(_) => finding,
            CheckKind::Tcp { service, .. } | CheckKind::Inside { act: Act { service, .. }, .. } => {
                finding.about(service)
            }
        }
    }

    /// Looks once; within the time that it is given.
    pub(super) async fn look(
        &self,
        live: &Live,
        place: Place<'_>,
        name: &str,
        kind: &CheckKind,
        limit: Duration,
    ) -> Result<Checked, Stop> {
        let (begun, from) = (Instant::now(), Timestamp::now());
        let looked = async {
            match kind {
                CheckKind::Http(check) => self.ask_page(live, place, check).await,
                CheckKind::Tcp { service, port } => self.knock(live, place.stage, service, *port).await,
                CheckKind::Inside { act, stdout_contains } => {
                    self.ask_command(live, place.stage, act, stdout_contains.as_deref(), limit).await
                }
                CheckKind::Container(container) => self.ask_suite(live, place, name, container, limit).boxed().await,
            }
        };
        // A command and a suite have their own limit; this one is for what hangs otherwise.
        let patience = match kind {
            CheckKind::Container(_) => limit + SUITE_BESIDE,
            CheckKind::Http(_) | CheckKind::Tcp { .. } | CheckKind::Inside { .. } => limit + BESIDE,
        };
        let looked = tokio::time::timeout(patience, looked).await;
        let looked = looked.unwrap_or_else(|_| Ok(Look::not("it took too long")))?;
        let ms = ms_between(from, Timestamp::now());
        let took = crate::domain::results::duration(u64::try_from(begun.elapsed().as_millis()).unwrap_or(ms));
        let mark = if looked.holds { "holds" } else { "does not hold" };
        self.log.say(format!("“{name}” {mark} ({took}): {}", one_line(&looked.seen, 400)));
        Ok(Checked {
            name: name.to_owned(),
            stage: place.stage,
            seen: looked.seen,
            holds: looked.holds,
            second_look: false,
            ms,
            output: looked.output,
            suite: looked.suite,
        })
    }

    async fn ask_page(&self, live: &Live, place: Place<'_>, check: &HttpCheck) -> Result<Look, Stop> {
        let routed: Vec<DomainName> = place.deployment.routes.iter().map(|route| route.host.clone()).collect();
        let host = match ready::host_of(check.subdomain.as_deref(), &self.plan.domain, &routed) {
            Ok(host) => host,
            Err(why) => return Ok(Look::not(why)),
        };
        let first = format!("https://{host}{}", check.path);
        let hosts: Vec<String> = routed.iter().map(ToString::to_string).collect();
        Ok(match self.answer_to(live, &first, &hosts, check).await {
            Ok(answer) => {
                let seen = format!("{first} answers {}", answer.status);
                match checks::page(check, &answer) {
                    Ok(()) => Look::holds(seen),
                    Err(why) => {
                        let body = String::from_utf8_lossy(&answer.body);
                        let output = body.lines().take(LINES).collect::<Vec<_>>().join("\n");
                        Look { holds: false, seen: format!("{first} {why}"), output, suite: None }
                    }
                }
            }
            Err(why) => Look::not(format!("{first} {why}")),
        })
    }

    /// The page; where a redirect is what is wanted, that one.
    async fn answer_to(&self, live: &Live, first: &str, hosts: &[String], check: &HttpCheck) -> Result<Answer, String> {
        let first = Url::parse(first).map_err(|error| format!("is no address: {error}"))?;
        let follow = !(300..400).contains(&check.status);
        let (url, answer) = self.page_at(live, first, hosts, follow).await.map_err(|none| match none {
            NoPage::Silent(_, why) => format!("gives no answer: {why}"),
            NoPage::Redirects => format!("redirects more than {REDIRECTS} times"),
        })?;
        let seen = Seen { status: answer.status, body: answer.body };
        // Such an answer may be the proxy's own.
        if matches!(seen.status, 404 | 502..=504) {
            self.is_the_apps(live, &check.path, &seen).await?;
        }
        let page = page(&String::from_utf8_lossy(&seen.body), &url);
        let assets = if check.assets { self.assets(live, &page).await } else { Vec::new() };
        Ok(Answer { status: seen.status, headers: answer.headers, title: page.title, body: seen.body, assets })
    }

    /// Whether something listens, asked from beside it: in the network of the service's own container.
    async fn knock(&self, live: &Live, stage: Stage, service: &str, port: u16) -> Result<Look, Stop> {
        let Some(container) = self.container(live, stage, service).await? else {
            return Ok(Look::not(format!("{service} has no running container")));
        };
        let addresses = match self.patiently(stage, || inside::addresses(&live.docker, &container.id)).await {
            Ok(addresses) => addresses,
            Err(error) => return Ok(Look::not(told(error)?)),
        };
        let asked: Vec<String> = addresses.iter().map(|address| format!("{address}:{port}")).collect();
        if asked.is_empty() {
            return Ok(Look::not(format!("{service} is on no network")));
        }
        let network = format!("container:{}", container.id);
        match probe(&live.docker, &live.runner_image, Some(&network), &asked, rand::random()).await {
            Ok(probed) if !probed.reached.is_empty() => Ok(Look::holds(format!("{service} listens on port {port}"))),
            Ok(_) => Ok(Look::not(format!("nothing of {service} listens on port {port}"))),
            Err(ProbeContainerError::Docker(error)) => Ok(Look::not(told(error)?)),
            Err(error @ ProbeContainerError::Answer(_)) => Ok(Look::not(error.to_string())),
        }
    }

    async fn ask_command(
        &self,
        live: &Live,
        stage: Stage,
        act: &Act,
        wanted: Option<&str>,
        limit: Duration,
    ) -> Result<Look, Stop> {
        let words = match &act.how {
            How::Exec(words) | How::Cmd(words) => one_line(&words.join(" "), 120),
        };
        let name = format!("`{words}` in {}", act.service);
        let said = match self.ask_inside(live, stage, act, limit).await? {
            Ok(said) => said,
            Err(why) => return Ok(Look::not(format!("{name} cannot be run: {}", one_line(&why, 200)))),
        };
        let output = [&said.stdout, &said.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
        let output = output.lines().take(LINES).collect::<Vec<_>>().join("\n");
        Ok(match checks::command(said.code, &said.stdout, &said.stderr, wanted) {
            Ok(()) => Look::holds(format!("{name} ends with 0")),
            Err(why) => Look { holds: false, seen: format!("{name} {why}"), output, suite: None },
        })
    }
}

/// What one look saw.
pub(super) struct Look {
    pub holds: bool,
    pub seen: String,
    pub output: String,
    pub suite: Option<Suite>,
}

impl Look {
    pub(super) fn holds(seen: impl Into<String>) -> Self {
        Self { holds: true, ..Self::not(seen) }
    }

    pub(super) fn not(seen: impl Into<String>) -> Self {
        Self { holds: false, seen: seen.into(), output: String::new(), suite: None }
    }
}
