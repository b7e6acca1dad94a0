#!/bin/bash
# Fetches the commit of the previous release, which Cloud Build's clone of one commit doesn't have. Does nothing where it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(<delivery/previous)
git cat-file -e "$commit^{commit}" 2>/dev/null || git fetch --quiet --depth=1 origin "$commit"
