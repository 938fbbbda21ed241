#!/bin/sh
# Creates and updates Temporal's two databases. Harmless when run again: `create` accepts an existing database,
# `setup-schema -v 0.0` does not lower a version, and `update-schema` applies what is missing.
set -eu

tool() {
    temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "$DB_PORT" --user "$POSTGRES_USER" "$@"
}

for pair in temporal:temporal temporal_visibility:visibility; do
    database=${pair%%:*}
    schema=${pair##*:}
    tool --db "$database" create
    tool --db "$database" setup-schema -v 0.0
    tool --db "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
