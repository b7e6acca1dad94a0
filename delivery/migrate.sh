#!/bin/bash
# The tables first: gives the job migrate the release's image, and runs it inside the network. It only adds (internal/spannerdb), and what
# runs now goes on with what it adds (make check-migrations).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../terraform"
: "${REGION:?} ${GOOGLE_CLOUD_PROJECT:?} ${ENVIRONMENT:?}"
terraform init -input=false -backend-config="bucket=$GOOGLE_CLOUD_PROJECT-terraform"
terraform apply -input=false -auto-approve -var="project_id=$GOOGLE_CLOUD_PROJECT" -var-file="environments/$ENVIRONMENT.tfvars" \
	-target=module.migrate -target=google_spanner_database_iam_member.migrate
gcloud run jobs execute migrate --project="$GOOGLE_CLOUD_PROJECT" --region="$REGION" --wait
