# The runner: the one container per run that acts on a target. The layers before the binary are the same for every build.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates git bash docker-cli >/dev/null \
 && rm -rf /var/lib/apt/lists/*

ARG BINARY=cc-ci
COPY ${BINARY} /usr/local/bin/cc-ci
# The hash of the binary as cargo built it: how a target's copy of this image is recognised.
ARG BINARY_SHA256
LABEL cc-ci.binary=${BINARY_SHA256}
ENTRYPOINT ["/usr/local/bin/cc-ci"]
