#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: a role and two databases for Temporal beside Holdfast's own.
# Neither role can read what is the other's; the passwords come from the environment and stand in no file.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$TEMPORAL_DATABASE_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE temporal LOGIN PASSWORD :'password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility FROM PUBLIC;
SQL
