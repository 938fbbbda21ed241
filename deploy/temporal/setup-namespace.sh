#!/bin/sh
# Creates the namespace and the search attributes that operators find runs by. Harmless when run again.
set -eu

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$TEMPORAL_RETENTION"

# The frontend sees a new namespace only when its cache is renewed, within ten seconds or so.
tries=60
until known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE"); do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || exit 1
    sleep 1
done
for pair in OrgId:Keyword RunStatus:Keyword FailureClass:Keyword Attempt:Int AgentNo:Int; do
    name=${pair%%:*}
    type=${pair##*:}
    if ! printf '%s\n' "$known" | grep -qw "$name"; then
        temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type "$type"
    fi
done
