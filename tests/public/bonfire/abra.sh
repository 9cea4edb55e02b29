export ENTRYPOINT_VERSION=v3
export PG_BACKUP_VERSION=v2

iex() {
  export TERM=xterm
  bin/bonfire remote
}
