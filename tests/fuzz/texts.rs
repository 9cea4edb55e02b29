//! Real texts, to be made a little wrong.

pub(crate) const COMPOSE: [&str; 8] = [
    include_str!("../recipes/notes/compose.yml"),
    include_str!("../recipes/notes/compose.postgres.yml"),
    include_str!("../recipes/notes/compose.smtp.yml"),
    include_str!("../recipes/good/compose.yml"),
    include_str!("../recipes/crash-loop/compose.yml"),
    include_str!("../../compose.yml"),
    include_str!("../../compose.login.yml"),
    "x-a: &a\n  image: \"a:1\"\n  deploy: &d {replicas: 1, labels: [\"x=${X:-y}\"]}\nservices:\n  app:\n    <<: *a\n    deploy:\n      <<: *d\n    ports: [\"80-90:80-90/udp\", {target: 1, published: \"2\"}]\n",
];

pub(crate) const ENV: [&str; 4] = [
    include_str!("../recipes/notes/.env.sample"),
    include_str!("../recipes/good/.env.sample"),
    include_str!("../../.env.sample"),
    "A=\"x $B ${C}\" # length=32 charset=hex\nexport B='$A'\nCOMPOSE_FILE=\"$COMPOSE_FILE:compose.x.yml\"\nSECRET_A_VERSION=v1 # generate=false\n#C=\n",
];

pub(crate) const ABRA_SH: [&str; 3] = [
    include_str!("../recipes/notes/abra.sh"),
    include_str!("../../abra.sh"),
    "export A=1 B='two' C=\"x$A\" # no\nexport D=$(date) E=`x`\nfunction x() {\n  export F=1\n}\nexport G\\\nexport H=a\\ b;export I=1\n",
];

pub(crate) const DELIVERIES: [&str; 10] = [
    include_str!("../forge/fixtures/deliveries/comment-created.json"),
    include_str!("../forge/fixtures/deliveries/comment-edited.json"),
    include_str!("../forge/fixtures/deliveries/comment-deleted.json"),
    include_str!("../forge/fixtures/deliveries/issue-comment-created.json"),
    include_str!("../forge/fixtures/deliveries/pull-opened.json"),
    include_str!("../forge/fixtures/deliveries/pull-synchronized.json"),
    include_str!("../forge/fixtures/deliveries/pull-closed.json"),
    include_str!("../forge/fixtures/deliveries/push-branch.json"),
    include_str!("../forge/fixtures/deliveries/push-tag.json"),
    include_str!("../forge/fixtures/deliveries/create-tag.json"),
];

pub(crate) const TOML: [&str; 4] = [
    "enrolled = [\"notes\", \"immich*\"]\n\n[recipe.immich]\nweight = 3\nsweep = false\n",
    "[lab]\naddress = \"lab.example.org:22\"\nuser = \"ccci\"\nkey_path = \"/k\"\nhost_key = \"ssh-ed25519 AAAA\"\ndomain = \"ci.example.org\"\nrole = \"gate\"\n[lab.env]\nLETS_ENCRYPT_ENV = \"staging\"\n",
    "[lab]\nsocket = \"/var/run/docker.sock\"\ndomain = \"ci.example.org\"\nca_path = \"/ca.pem\"\n[other]\nrole = \"dev\"\n",
    "host_power = \"runs containers\"\nsettle = \"20s\"\n[env]\nDEMO = \"1\"\n[secrets]\nadmin_pass = \"x\"\n[[ready]]\nhttp = { path = \"/\", status = 200, title = \"A\", subdomain = \"api\" }\ntimeout = \"30s\"\n[[ready]]\nhttp = { path = \"/x?y=${Z}\", body_contains = \"ok\" }\n",
];

pub(crate) const SETTINGS: [&str; 3] = [
    include_str!("../../.env.sample"),
    "FORGE_URL=https://git.example.org\nFORGE_ACCOUNT=bot\nFORGE_TOKEN=x\nORGANISATION=recipes\nTARGETS=lab,second\nLISTEN=127.0.0.1:8080\nPOLL_SECONDS=15\nLOG=debug\n",
    "RECYCLE_URL=https://h.example/x?y={target}\nWEBHOOK_SECRET=\"a\nb\"\nKEEP_RUNS=0\nSWEEP_DAYS=7\nPUBLIC_URL=https://ci.example.org/\nTARGET_HOST_KEY=ssh-ed25519 AAAA\n",
];

pub(crate) const LOG: [&str; 2] = [
    "{\"t\":\"2026-08-03T13:22:35.12Z\",\"s\":\"cc-ci\",\"l\":\"prepare: target is clean\"}\n{\"t\":\"2026-08-03T13:22:36Z\",\"s\":\"step/deploy\",\"p\":12,\"l\":\"Creating service x_app\"}\n",
    "{\"t\":\"2026-08-03T13:22:35.12Z\",\"s\":\"app.1@4f0c2d11a9b3\",\"p\":1785765755120000000,\"l\":\"\\u001b[31mERROR\\u001b[0m \\u202e <b>x</b>\\r50 %\\r100 %\"}\n{\"t\":\"2026-08-03T13:22:35.12Z\",\"s\":\"db.1@90b1\",\"l\":\"\"}\n",
];

pub(crate) const COMMENTS: [&str; 9] = [
    "!testme",
    "!testme --keep 30m --extra\n\nplease",
    "> !testme\n\n!testme retry",
    "```\n!testme\n```\n!testme cancel",
    "<!-- !testme -->\n`!testme` !testme help",
    "!testme --only lint,install --base 1.0.0+2.3.4",
    "!testme status\r\n\r\nthanks",
    "1. !testme\n2. x\n\n| a | b |\n|---|---|\n| !testme | ~~y~~ |",
    "[!testme](https://x) ![a](b) **!testme** _x_ [^1]\n\n[^1]: !testme",
];
