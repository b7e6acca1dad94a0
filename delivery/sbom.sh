#!/bin/bash
# Has Artifact Analysis write what is in each image, and keep it beside the image (SPDX).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jq -r '.images[]' terraform/images.auto.tfvars.json | xargs -P 4 -I{} gcloud artifacts sbom export --uri={}
