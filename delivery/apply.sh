#!/bin/bash
# Applies the very plan that plan.sh showed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../terraform"
terraform apply -input=false release.plan
