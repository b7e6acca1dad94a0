#!/bin/bash
# Names the images that now have all the traffic "release": by that tag a plan without digests of its own finds them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for image in $(jq -r '.images[]' terraform/images.auto.tfvars.json); do
	gcloud artifacts docker tags add --quiet "$image" "${image%@*}:release"
done
