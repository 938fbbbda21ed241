#!/bin/sh
# Runs once, as the superuser, on an empty data directory: roles, the database, its extensions.
# The embedded stack does the same in infra/embedded/servers.py.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$SWISSBRAIN_OWNER_PASSWORD" \
    --set app_password="$SWISSBRAIN_APP_PASSWORD" \
    --set temporal_password="$TEMPORAL_DB_PASSWORD" <<'SQL'
CREATE ROLE swissbrain_owner LOGIN BYPASSRLS PASSWORD :'owner_password';
CREATE ROLE swissbrain_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'temporal_password';
CREATE DATABASE swissbrain OWNER swissbrain_owner;
REVOKE ALL ON DATABASE swissbrain FROM PUBLIC;
GRANT CONNECT ON DATABASE swissbrain TO swissbrain_app;
\connect swissbrain
CREATE EXTENSION vector;
CREATE EXTENSION pg_trgm;
ALTER SCHEMA public OWNER TO swissbrain_owner;
GRANT USAGE ON SCHEMA public TO swissbrain_app;
SQL
