#!/bin/bash
# Runs delivery/migrations on the components of the profile test, which it starts and stops. FAULTS=1 plants faults.
export PROFILE=test
. "$(dirname "$0")/../local/bin/platform.sh"
trap 'local/bin/down.sh' EXIT
ONLY=components local/bin/up.sh
go run ./delivery/migrations ${FAULTS:+-faults}
