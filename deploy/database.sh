#!/bin/sh
# The role and the database of respond. The official PostgreSQL image runs this once, as its superuser.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set password="$(cat /run/secrets/database_password)" <<'END'
CREATE ROLE respond LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE respond OWNER respond;
REVOKE ALL ON DATABASE respond FROM PUBLIC;
END
