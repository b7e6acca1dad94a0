#!/bin/bash
# Builds the programs that become images into a folder: delivery/programs.sh [FOLDER]. The same commit gives the same bytes on any machine
# with the same Go: no paths, no time, no state of git, no C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-.larder/images}
mkdir -p "$folder"
# Cloud Run and Dataflow are linux/amd64, whatever builds this. The mode and the time go into the layer.
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$folder/" \
	./run/... ./functions ./pipelines/productindex ./pipelines/productreindex
chmod 0755 "$folder"/*
touch -d "@${SOURCE_DATE_EPOCH:-0}" "$folder"/*
