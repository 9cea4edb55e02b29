#!/bin/bash
# The baseline of P2: what somebody would type who does by hand what `cc-ci run` does with a good recipe, with the same Docker
# calls and the same patience. It runs on the target itself, beside the engine, so that no connection slows it down.
#
#   bash -s STACK FOLDER DOMAIN <plain.sh
#
# Deploys the compose file of FOLDER, waits until every service is as stable as cc-ci asks, asks one page through the proxy, removes
# everything by force, as cc-ci does, and waits until it is gone. Fails as soon as a command does.
set -euo pipefail

stack=$1 folder=$2 domain=$3
# A service is good when it has been running, and healthy, for so many seconds; it is looked at as often as cc-ci looks.
good=10 look=0.5 limit=120

label=com.docker.stack.namespace=$stack
export STACK_NAME=$stack DOMAIN=$domain LETS_ENCRYPT_ENV='' TITLE='A good recipe'

# Whether the one task of a service is of its newest image, and has been good for long enough.
is_good() {
  local task container started health wanted
  task=$(docker service ps --quiet --filter desired-state=running "$1") && [ "$(wc -w <<<"$task")" = 1 ] || return 1
  wanted=$(docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "$1")
  [ "$(docker inspect --format '{{.Spec.ContainerSpec.Image}}' "$task")" = "$wanted" ] || return 1
  container=$(docker inspect --format '{{if .Status.ContainerStatus}}{{.Status.ContainerStatus.ContainerID}}{{end}}' "$task")
  [ -n "$container" ] || return 1
  read -r started health < <(docker inspect --format '{{.State.StartedAt}} {{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}' "$container")
  [ "$health" = healthy ] || return 1
  [ $(($(date +%s%N) - $(date -d "$started" +%s%N))) -ge $((good * 1000000000)) ]
}

stable() {
  local service
  for service in $(docker service ls --quiet --filter "label=$label"); do
    is_good "$service" || return 1
  done
}

# Repeats a question until the answer is yes.
await() {
  local end=$((SECONDS + limit))
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "plain.sh: $* takes too long" >&2; exit 1; }
    sleep $look
  done
}

answers() {
  curl --silent --fail --insecure --output /dev/null --resolve "$domain:443:127.0.0.1" "https://$domain/"
}

# Removes what there is of a kind; yes when there was nothing more.
gone() {
  local found
  found=$(docker "$1" ls --quiet --filter "label=$label" ${2:+"$2"})
  [ -n "$found" ] || return 0
  # shellcheck disable=SC2086
  docker "$1" rm ${3:+"$3"} $found >/dev/null 2>&1 || true
  return 1
}

# By force, as cc-ci does, and until it is gone.
remove() {
  docker stack rm "$stack" >/dev/null
  look=0.1
  await gone container --all --force
  await gone network
  await gone volume '' --force
  look=0.5
}

# With more words, it is the beginning of another script.
if [ $# -eq 3 ]; then
  cd "$folder"
  docker stack deploy --detach=true --resolve-image=always --compose-file compose.yml "$stack" >/dev/null
  await stable
  await answers
  remove
fi
