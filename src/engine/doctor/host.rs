//! The target's network, proxy, clock, images and disk.

use bollard::Docker;
use jiff::SignedDuration;

use super::Examination;
use crate::adapters::docker::runner::{self, ImageSource};
use crate::adapters::docker::{DockerError, Tried as _, probe_container};
use crate::adapters::probe::Web;
use crate::adapters::session::Session;
use crate::domain::doctor::{Check, Matter};
use crate::domain::setup::PROXY_NETWORK;
use crate::domain::target::Target;
use crate::engine::fitness::Unfit;

/// A run corrects for the target's clock; beyond this, certificates and signatures begin to fail.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);
/// Less than this is used up by the images of a recipe or two.
const NEEDED: u64 = 5_000_000_000;
const GB: u64 = 1_000_000_000;

pub(super) fn network(found: &Result<Option<bool>, DockerError>) -> Check {
    match found {
        Ok(Some(_)) => Check::good(Matter::Network, format!("the network `{PROXY_NETWORK}` is there")),
        Ok(None) => Check::failed(Matter::Network, &Unfit::NoProxyNetwork),
        Err(error) => Check::failed(Matter::Network, error),
    }
}

/// A name below the target's domain that no app has: any answer shows the proxy, its certificate, and the way to it.
pub(super) async fn proxy(target: &Target, session: &Session) -> Check {
    let host = format!("cc-ci-doctor.{}", target.domain);
    let web = match Web::new(target, session.web_socket()) {
        Ok(web) => web,
        Err(error) => return Check::failed(Matter::Proxy, &error),
    };
    match web.get(&format!("https://{host}/")).await {
        Ok(answer) => Check::good(
            Matter::Proxy,
            format!("443 answers {} with a certificate that holds for *.{}", answer.status, target.domain),
        ),
        Err(why) => match session.last_error().await {
            Some(error) => Check::failed(Matter::Proxy, &error),
            None => Check::bad(
                Matter::Proxy,
                format!("443 does not answer for {host}: {why}"),
                format!(
                    "a proxy on 443 with a certificate for *.{}; `ca_path` where its authority is your own",
                    target.domain
                ),
            ),
        },
    }
}

pub(super) fn clock(offset: SignedDuration) -> Check {
    let seconds = offset.as_secs_f64();
    if offset.abs() <= CLOCK_TOLERANCE {
        return Check::good(Matter::Clock, format!("the target's clock differs by {seconds:.1} s from this machine's"));
    }
    Check::bad(
        Matter::Clock,
        format!("the target's clock differs by {seconds:.0} s from this machine's"),
        "timedatectl set-ntp true   (on the target, or here)",
    )
}

/// Optional; the engine tells what it was configured with.
pub(super) async fn mirror(docker: &Docker) -> Check {
    let info = match docker.info().await.tried("ask the engine about itself") {
        Ok(info) => info,
        Err(error) => return Check::failed(Matter::Mirror, &error),
    };
    let mirrors = info.registry_config.and_then(|registries| registries.mirrors).unwrap_or_default();
    if mirrors.is_empty() {
        let mend = "\"registry-mirrors\": [\"https://CACHE\"] in /etc/docker/daemon.json, if there is a cache";
        return Check::open(Matter::Mirror, "the engine uses no registry mirror", Some(mend.to_owned()));
    }
    Check::good(Matter::Mirror, format!("the engine pulls through {}", mirrors.join(", ")))
}

/// The runner image, and its id on the target.
pub(super) struct Runner {
    pub(super) check: Check,
    pub(super) id: Option<String>,
}

pub(super) async fn runner(docker: &Docker, examination: &Examination<'_>) -> Runner {
    let (hash, image) = (examination.hash, examination.image);
    let found = if examination.send_runner {
        runner::image(docker, hash, image, |line| tracing::info!("{line}")).await.map(Some)
    } else {
        runner::find_image(docker, hash).await.map_err(Into::into)
    };
    match found {
        Ok(Some(id)) => Runner {
            check: Check::good(Matter::Runner, "the target has the image of exactly this build"),
            id: Some(id),
        },
        Ok(None) => Runner { check: to_be_sent(image), id: None },
        Err(error) => Runner { check: Check::failed(Matter::Runner, &error), id: None },
    }
}

fn to_be_sent(image: &ImageSource) -> Check {
    let said = match image {
        ImageSource::File(path) if !path.is_file() => {
            let mend = "--runner-image REF, or `cargo xtask lab up`, which makes one";
            return Check::bad(Matter::Runner, format!("neither the target has it nor {}", path.display()), mend);
        }
        ImageSource::File(path) => format!("not there yet; the first run sends {}", path.display()),
        ImageSource::Reference(reference) => format!("not there yet; the first run has the target pull {reference}"),
        ImageSource::OwnRoot(_) => "not there yet; the first run sends this gate's own file system".to_owned(),
    };
    Check::open(Matter::Runner, said, Some("cc-ci doctor --send-runner".to_owned()))
}

/// What only a container on the target can tell.
pub(super) async fn probed(
    docker: &Docker,
    examination: &Examination<'_>,
    image: Option<&str>,
    joins_proxy: bool,
) -> Vec<Check> {
    let addresses = examination.must_not_reach;
    let Some(image) = image else {
        let said = "not looked at: that takes a container of the runner image, which is not there yet";
        let mend = || Some("cc-ci doctor --send-runner".to_owned());
        return vec![Check::open(Matter::Disk, said, mend()), Check::open(Matter::Reach, said, mend())];
    };
    let network = joins_proxy.then_some(PROXY_NETWORK);
    match probe_container::probe(docker, image, network, addresses, examination.random).await {
        Ok(probed) => vec![disk(probed.disk_free, probed.disk_total), reach(&probed.reached, addresses)],
        Err(error) => vec![Check::failed(Matter::Disk, &error), Check::failed(Matter::Reach, &error)],
    }
}

fn disk(free: u64, total: u64) -> Check {
    let said = format!("{} GB of {} GB are free", free / GB, total / GB);
    if free >= NEEDED {
        return Check::good(Matter::Disk, said);
    }
    Check::bad(Matter::Disk, said, "docker system prune --all   (on the target), or a larger disk")
}

fn reach(reached: &[String], addresses: &[String]) -> Check {
    if addresses.is_empty() {
        let mend = "MUST_NOT_REACH=gate.example.org:443,…, or --must-not-reach";
        return Check::open(Matter::Reach, "no addresses are given", Some(mend.to_owned()));
    }
    if reached.is_empty() {
        let all = addresses.join(", ");
        return Check::good(Matter::Reach, format!("a container on the target cannot reach {all}"));
    }
    let said = format!("a container on the target reaches {}", reached.join(", "));
    Check::bad(Matter::Reach, said, "a firewall between the target and these addresses")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::doctor::Outcome;

    #[test]
    fn too_little_and_too_much_are_bad() {
        assert_eq!(disk(6 * GB, 100 * GB).outcome, Outcome::Good);
        assert_eq!(disk(4 * GB, 100 * GB).outcome, Outcome::Bad);
        let at = |seconds: i64| clock(SignedDuration::from_secs(seconds)).outcome;
        assert_eq!((at(-29), at(31), at(-31)), (Outcome::Good, Outcome::Bad, Outcome::Bad));
        let gate = ["gate:443".to_owned()];
        let outcomes = [reach(&[], &[]), reach(&[], &gate), reach(&gate, &gate)].map(|check| check.outcome);
        assert_eq!(outcomes, [Outcome::Open, Outcome::Good, Outcome::Bad]);
    }
}
