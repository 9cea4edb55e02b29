use super::*;
use proptest::prelude::*;

fn of(text: &str) -> Vec<String> {
    let compose = Compose::parse(text).unwrap();
    host_power(&compose, &[("compose.yml", text)]).iter().map(ToString::to_string).collect()
}

/// A service with these lines.
fn service(lines: &str) -> Vec<String> {
    of(&format!("services:\n  app:\n    image: x\n{lines}"))
}

#[test]
fn s61_mounts_of_the_host_in_every_form() {
    let found = service(concat!(
        "    volumes:\n",
        "      - /var/run/docker.sock:/var/run/docker.sock:ro\n",
        "      - ./conf:/conf\n",
        "      - ~/x:/x\n",
        "      - type: bind\n        source: /etc\n        target: /host/etc\n        read_only: true\n",
        "      - /etc/localtime:/etc/localtime\n",
        "      - /etc/timezone/../shadow:/etc/timezone:ro\n",
        "      - data:/data\n      - /anonymous\n      - {type: tmpfs, target: /tmp}\n",
        "      - /etc/localtime:/etc/localtime2:ro\n",
        "      - /usr/share/zoneinfo/Europe/Lisbon:/z:ro\n",
    ));
    assert_eq!(
        found,
        [
            "`app` mounts the host's socket `/var/run/docker.sock` (compose.yml:5)",
            "`app` mounts `./conf` of the host (compose.yml:6)",
            "`app` mounts `~/x` of the host (compose.yml:7)",
            "`app` mounts `/etc` of the host (compose.yml:9)",
            "`app` mounts `/etc/localtime` of the host (compose.yml:12)",
            "`app` mounts `/etc/timezone/../shadow` of the host (compose.yml:13)",
        ]
    );
}

#[test]
fn s61_volumes_whose_options_mount_the_host() {
    let volume = |options: &str| {
        of(&format!(
            "services:\n  app:\n    image: x\n    volumes:\n      - v:/v\nvolumes:\n  v:\n    driver_opts: {options}\n"
        ))
    };
    assert_eq!(
        volume("{type: none, o: bind, device: /etc}"),
        ["`app` mounts `/etc` of the host by the volume `v` (compose.yml:5)"]
    );
    for power in [
        "{type: nfs, o: 'ro, bind', device: /}",
        "{type: ext4, device: /dev/sda1}",
        "{type: overlay, o: 'lowerdir=/', device: overlay}",
        "{type: proc, device: proc}",
        "{device: /etc}",
        "{type: tmpfs, o: rbind, device: /}",
    ] {
        assert_eq!(volume(power).len(), 1, "{power}");
    }
    for harmless in
        ["{}", "{type: nfs, o: 'addr=10.0.0.1,rw', device: ':/x'}", "{type: tmpfs, device: tmpfs, o: size=1m}"]
    {
        assert_eq!(volume(harmless), [""; 0], "{harmless}");
    }
    let other = "services:\n  app:\n    volumes: [v:/v]\nvolumes:\n  v:\n    driver: vieux/sshfs\n    driver_opts: {device: /x}\n";
    assert_eq!(of(other), [""; 0], "another driver is the maintainer's own program");
}

#[test]
fn s61_networks_and_capabilities() {
    for network in ["host: {external: true}", "h: {external: true, name: host}", "h: {external: {name: host}}"] {
        let key = network.split(':').next().unwrap();
        let found = of(&format!("services:\n  app:\n    networks: [{key}]\nnetworks:\n  {network}\n"));
        assert_eq!(found, ["`app` joins the host's own network (compose.yml:3)"], "{network}");
    }
    assert_eq!(of("services:\n  app:\n    networks: [proxy]\nnetworks:\n  proxy: {external: true}\n"), [""; 0]);
    let found = service("    cap_add: [sys_admin, CAP_NET_ADMIN, chown, ALL]\n");
    assert_eq!(
        found,
        ["`app` gets the capability `sys_admin` (compose.yml:4)", "`app` gets the capability `ALL` (compose.yml:4)"]
    );
}

#[test]
fn s61_what_a_swarm_leaves_out_is_no_power() {
    let text = concat!(
        "services:\n  app:\n    privileged: true\n    pid: host\n    devices: [/dev/kvm]\n    network_mode: host\n",
        "    sysctls: {net.core.somaxconn: 1}\n  db:\n    privileged: false\n    devices: []\n",
    );
    assert_eq!(of(text), [""; 0]);
    assert_eq!(
        without_effect(&Compose::parse(text).unwrap()),
        [
            "service `app`: `devices`, `network_mode`, `pid`, `privileged` without effect, `docker stack deploy` leaves it out"
        ]
    );
}

/// As docker 26.1.5 answered after `docker stack deploy` of a file with all of it.
#[test]
fn s61_the_second_look_sees_what_swarm_has() {
    let template = serde_json::json!({
        "ContainerSpec": {
            "Mounts": [
                {"Type": "bind", "Source": "/etc/localtime", "Target": "/etc/localtime", "ReadOnly": true},
                {"Type": "bind", "Source": "/etc", "Target": "/host"},
                {"Type": "volume", "Source": "s_bound", "Target": "/bound", "VolumeOptions": {"Labels": {}, "DriverConfig": {"Options": {"device": "/etc", "o": "bind", "type": "none"}}}},
                {"Type": "volume", "Source": "s_data", "Target": "/data", "VolumeOptions": {"Labels": {}}},
            ],
            "CapabilityAdd": ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
        },
        "Networks": [{"Target": "6dbemcyoiigdttp0mvl2yyogl"}],
    });
    let seen = |host| in_template("app", &template, host).iter().map(ToString::to_string).collect::<Vec<_>>();
    let three = [
        "`app` mounts `/etc` of the host",
        "`app` mounts `/etc` of the host by the volume `s_bound`",
        "`app` gets the capability `CAP_SYS_ADMIN`",
    ];
    assert_eq!(seen(Some("other")), three);
    assert_eq!(seen(Some("6dbemcyoiigdttp0mvl2yyogl"))[3], "`app` joins the host's own network");
    assert_eq!(in_template("app", &serde_json::json!({}), None), []);
}

#[test]
fn the_line_is_that_of_the_file_that_counts() {
    let base = "services:\n  app:\n    volumes:\n      - data:/data\n";
    let over =
        "services:\n  db:\n    image: /etc\n  app:\n    # - ${WHERE}:/data\n    volumes:\n      - ${WHERE}:/data\n";
    let mut compose = Compose::parse(base).unwrap();
    compose.merge(Compose::parse(&over.replace("${WHERE}", "/etc")).unwrap());
    let found = host_power(&compose, &[("compose.yml", base), ("compose.over.yml", over)]);
    assert_eq!(found[0].place, Some(("compose.over.yml".to_owned(), 7)));
}

proptest! {
    /// Whatever a recipe writes as a source: if docker would take it for a path, it is power, unless it is one of the few.
    #[test]
    fn s61_no_path_of_the_host_is_overlooked(source in "(/|\\./|\\.\\./|~)[a-z/.]{0,20}", ro in any::<bool>()) {
        let options = if ro { ":ro" } else { "" };
        let found = service(&format!("    volumes: ['{source}:/x{options}']\n"));
        prop_assert_eq!(found.len(), usize::from(!(ro && is_harmless_path(&source))));
    }
}
