#!/bin/bash
# Stops a profile's platform and deletes its state: data, logs, programs.
. "$(dirname "$0")/platform.sh"
local/bin/down.sh
rm -rf "$state"
echo "profile $profile is empty"
