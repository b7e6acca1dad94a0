#!/bin/bash
# Builds the platform's programs into the profile's state folder. A program that would be the same stays as it is.
. "$(dirname "$0")/platform.sh"
mkdir -p "$state/bin"
go build -o "$state/bin/" ./run/... ./functions/... ./pipelines/... ./local/...
