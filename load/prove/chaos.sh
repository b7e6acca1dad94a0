#!/bin/bash
# Runs the prover in a network namespace of its own, where it may lose packets without anybody else losing any.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ "$(id -u)" != 0 ]; then
	echo "chaos.sh: only root may make a network namespace and filter its packets" >&2
	exit 1
fi
# The namespace has no way out: what is downloaded or built by others' versions comes first.
mkdir -p .larder
go mod download
go build -o .larder/prover ./load/prove
exec unshare --net -- bash -c 'ip link set lo up && exec "$@"' chaos .larder/prover "$@"
