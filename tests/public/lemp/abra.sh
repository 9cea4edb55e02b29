export NGINX_CONF_VERSION=v1
export PHP_UPLOADS_VERSION=v1

sub_mysql() {
  local db_password=$(cat /run/secrets/db_password)
  mysql -p"$db_password"
}
