#!/bin/bash
# The baseline of P4: what somebody would type who proves by hand what a whole run of cc-ci proves of a recipe with a database, with
# the same Docker calls and the same patience. It runs on the target itself, beside the engine, so that no connection slows it down.
#
#   cat bench/plain.sh bench/ladder.sh | bash -s STACK BASE-FOLDER DOMAIN HEAD-FOLDER
#
# Deploys the older version; makes a note in the database, and puts a file into each volume; deploys head over it and looks for both;
# looks at what must hold; backs up by the hooks; destroys; deploys head onto nothing; looks again; restores, and looks for the data.
# `plain.sh` in front of it has the functions. Fails as soon as a command does.

head=$4 kept=$(mktemp -d)
secret=${stack}_db_password_v1
# What fails half-way leaves nothing either.
finish() {
  local code=$?
  set +e
  rm -rf "$kept"
  [ $code = 0 ] || { remove; docker secret rm "$secret"; } >/dev/null 2>&1
  exit $code
}
trap finish EXIT
export TITLE='Lab notes' EXTRA_DOMAINS='' TIMEOUT=120 APP_CONF_VERSION=v1 PG_BACKUP_VERSION=v1 SECRET_DB_PASSWORD_VERSION=v1
data=/var/lib/postgresql/data

deploy() {
  cd "$1"
  docker stack deploy --detach=true --resolve-image=always --compose-file compose.yml --compose-file compose.postgres.yml "$stack" >/dev/null
}

# The update is over, as Swarm says.
updated() {
  local service state
  for service in $(docker service ls --quiet --filter "label=$label"); do
    state=$(docker service inspect --format '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' "$service")
    [ -z "$state" ] || [ "$state" = completed ] || return 1
  done
}

container() { docker ps --quiet --filter "label=com.docker.swarm.service.name=${stack}_$1" | head -n 1; }
psql() { docker exec "$(container db)" psql -U notes "$@"; }
page() { curl --silent --fail --insecure --resolve "$domain:443:127.0.0.1" "https://$domain$1"; }

# What cc-ci's tests file says, one after the other.
holds() {
  page / | grep -q '<title>Lab notes</title>'
  page /api/notes >/dev/null
  docker run --rm --network "container:$(container db)" lab/web:1.0.0 bash -c ': </dev/tcp/127.0.0.1/5432'
  docker exec "$(container db)" pg_isready -U notes | grep -q 'accepting connections'
  docker exec "$(container db)" bash -c '. /tmp/abra.sh; count_of notes' | grep -q notes:
}
# As `abra app cmd` does.
functions() { docker cp --quiet "$head/abra.sh" "$(container db):/tmp/abra.sh"; }
is_there() { psql -tAc 'select body from notes' | grep -q 'calm waters'; }

head -c 24 /dev/urandom | base64 | docker secret create "$secret" - >/dev/null
deploy "$folder"
await stable
await answers

psql -c "insert into notes (body) values ('calm waters')" >/dev/null
is_there
echo here >"$kept/planted"
docker cp --quiet "$kept/planted" "$(container app):/data/planted"
docker cp --quiet "$kept/planted" "$(container db):$data/planted"

deploy "$head"
await updated
await stable
await answers
is_there
docker cp --quiet "$(container app):/data/planted" "$kept/seen"
docker cp --quiet "$(container db):$data/planted" "$kept/seen"
functions
holds

docker exec "$(container db)" /pg_backup.sh backup
docker cp --quiet "$(container app):/data/." "$kept/data"
docker cp --quiet "$(container db):$data/backup.sql" "$kept/backup.sql"

remove
deploy "$head"
await stable
await answers
functions
holds

docker cp --quiet "$kept/data/." "$(container app):/data"
docker cp --quiet "$kept/backup.sql" "$(container db):$data/backup.sql"
docker exec "$(container db)" /pg_backup.sh restore
is_there
docker cp --quiet "$(container app):/data/planted" "$kept/seen"

remove
docker secret rm "$secret" >/dev/null
