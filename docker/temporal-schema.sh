#!/bin/sh
# Bring Temporal's two databases to the schema of this image, from nothing or from an older one. Safe to run again.
set -eu
for name in temporal visibility; do
    database=temporal
    [ "$name" = temporal ] || database=temporal_visibility
    export SQL_DATABASE=$database
    update() { temporal-sql-tool update-schema -d "/etc/temporal/schema/postgresql/v12/$name/versioned"; }
    # A database without a schema knows no version to update from.
    update || { temporal-sql-tool setup-schema -v 0.0 && update; }
done
