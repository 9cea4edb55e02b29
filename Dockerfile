# One image for the gate (`cc-ci serve`) and for the runner, the container that acts on a target. It only assembles: BASE is a Debian,
# BINARY the program as cargo built it. The layers before the program are the same for every build.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates git bash docker-cli >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 cc-ci \
 && useradd --system --uid 10001 --gid 10001 --home-dir /data --shell /usr/sbin/nologin cc-ci \
 && install -d -o cc-ci -g cc-ci -m 700 /data \
 && echo "made from cc-ci's Dockerfile: a gate in it may send this file system to a target" >/etc/cc-ci-image

ARG BINARY=cc-ci
COPY ${BINARY} /usr/local/bin/cc-ci
# The hash of the program: how a target's copy of this image is recognised.
ARG BINARY_SHA256
LABEL cc-ci.binary=${BINARY_SHA256}
# The gate; the runner, which has a Docker socket, is started as root by the gate.
USER cc-ci
ENTRYPOINT ["/usr/local/bin/cc-ci"]
