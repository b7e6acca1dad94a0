#!/bin/bash
# Plans the release, and keeps the plan where people can read it later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../terraform"
: "${GOOGLE_CLOUD_PROJECT:?} ${ENVIRONMENT:?} ${BUILD:?}"
terraform plan -input=false -out=release.plan -var="project_id=$GOOGLE_CLOUD_PROJECT" -var-file="environments/$ENVIRONMENT.tfvars"
terraform show -no-color release.plan | gcloud storage cp - "gs://$GOOGLE_CLOUD_PROJECT-delivery/$BUILD/plan.txt"
