#!/bin/bash
# Does long work by the API and tells how far it is: operate.sh rebuild STORE | import [-key KEY] FILE.
. "$(dirname "$0")/platform.sh"
if [ ! -x "$state/bin/operate" ]; then local/bin/build.sh; fi
exec "$state/bin/operate" "$@"
