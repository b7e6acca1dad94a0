#!/bin/bash
# Pins the traffic to the revisions that have it, and keeps their names for whoever has to go back later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${GOOGLE_CLOUD_PROJECT:?} ${BUILD:?}"
go run ./delivery/rollout pin before.json
gcloud storage cp before.json "gs://$GOOGLE_CLOUD_PROJECT-delivery/$BUILD/before.json"
