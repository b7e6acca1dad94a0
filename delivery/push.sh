#!/bin/bash
# Makes the images of delivery/programs.sh' programs, pushes them, and writes their digests where Terraform reads them. An image whose
# program didn't change has the digest that it had, and so its service keeps its revision.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${REGION:?} ${GOOGLE_CLOUD_PROJECT:?} ${RELEASE:?} ${LAUNCHER:?}"
. delivery/lib.sh
registry=$REGION-docker.pkg.dev/$GOOGLE_CLOUD_PROJECT/larder
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A name on a line of its own each: programs that become images.
names() { sed -nE "s|^  - .*/larder/([a-z]+):.*|\1|p" cloudbuild.yaml; }

gcloud auth print-access-token | b login -u oauth2accesstoken --password-stdin "${registry%%/*}"
gcloud auth configure-docker --quiet "${registry%%/*}"
echo '{"images": {}}' >"$work/digests"
for name in $(names); do
	tag=$registry/$name:$RELEASE
	case $name in
	productindex) template "$tag" "$LAUNCHER" ;;
	*) image "$name" "$tag" ;;
	esac
	b push -q --digestfile "$work/digest" "$tag"
	docker pull --quiet "$tag" # what cloudbuild.yaml's `images` says the provenance of is the daemon's
	jq --arg name "$name" --arg image "$registry/$name@$(<"$work/digest")" '.images[$name] = $image' "$work/digests" >"$work/more"
	mv "$work/more" "$work/digests"
done
mv "$work/digests" terraform/images.auto.tfvars.json
cat terraform/images.auto.tfvars.json
