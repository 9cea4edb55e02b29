#!/bin/bash
# The lab's forge: PostgreSQL on a unix socket, Gitea on 3000, one site administrator `admin`. FORGE_URL is where it is reached.
set -euo pipefail
export PGDATA=/data/postgres GITEA_WORK_DIR=/data/gitea HOME=/data
mkdir -p "$GITEA_WORK_DIR" /data/repositories

start_database() {
  [ -s "$PGDATA/PG_VERSION" ] || initdb --username=gitea --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  rm -f "$PGDATA/postmaster.pid" # Of a container that was killed: its process ids mean nothing in this one.
  pg_ctl -w -s -o "-c listen_addresses='' -c unix_socket_directories=/data -c fsync=off" -l /data/postgres.log start
  psql -qAt -h /data -U gitea -d postgres -c "select 1 from pg_database where datname = 'gitea'" | grep -q 1 || createdb -h /data -U gitea gitea
}

secret() { # Gitea would write generated secrets into its configuration, which is written anew at each start.
  [ -s "/data/$1" ] || (umask 077 && gitea generate secret "$1" >"/data/$1")
  cat "/data/$1"
}

configure() {
  (umask 077 && cat >/data/app.ini) <<INI
APP_NAME = lab forge
RUN_USER = postgres
RUN_MODE = prod
WORK_PATH = $GITEA_WORK_DIR
[server]
HTTP_ADDR = 0.0.0.0
HTTP_PORT = 3000
ROOT_URL = ${FORGE_URL:-http://127.0.0.1:3000}/
STATIC_ROOT_PATH = /srv/gitea
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false
[database]
DB_TYPE = postgres
HOST = /data
NAME = gitea
USER = gitea
PASSWD = unused
[repository]
ROOT = /data/repositories
[security]
INSTALL_LOCK = true
SECRET_KEY = lab
INTERNAL_TOKEN = $(secret INTERNAL_TOKEN)
[oauth2]
JWT_SECRET = $(secret JWT_SECRET)
[webhook]
ALLOWED_HOST_LIST = loopback,private
DELIVER_TIMEOUT = 3
[service]
DISABLE_REGISTRATION = true
[cron.update_checker]
ENABLED = false
[log]
LEVEL = Warn
INI
}

trap 'kill $(jobs -p) 2>/dev/null; pg_ctl -s -m fast stop; exit 0' TERM INT
start_database
configure
gitea -c /data/app.ini migrate >/dev/null
gitea -c /data/app.ini admin user list --admin | grep -qw admin ||
  gitea -c /data/app.ini admin user create --admin --username admin --password lab-password --email admin@lab.test --must-change-password=false >/dev/null
gitea -c /data/app.ini web &
wait -n
