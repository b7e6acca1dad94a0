# What the component scripts share. Each of them knows up to three words:
#
#     get     put its program into the user's cache, if it isn't there
#     start   run it in the foreground, with its data in the profile's state folder
#     ready   exit 0 as soon as it answers and holds what it has to hold, 1 if that takes longer than READY_WITHIN seconds
#
# and is run with the environment that local/env.sh prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/larder
name=$(basename "$0" .sh)

fail() {
	echo "$name: $*" >&2
	exit 1
}

# outside: true if the caller's environment names a server of its own for this component.
outside() { [[ " ${LARDER_OUTSIDE-} " == *" $name "* ]]; }

# stand_in ADDRESS: what is started in place of an outside component, so that the others can wait for it all the same.
stand_in() {
	echo "$name: using $1, which this environment names; nothing is started"
	exec sleep infinity
}

host_of() { local a=${1#*://}; a=${a##*@}; a=${a%%/*}; echo "${a%:*}"; }
port_of() { local a=${1#*://}; a=${a##*@}; a=${a%%/*}; echo "${a##*:}"; }

# answers HOST PORT: true if something accepts a connection there.
answers() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# data: makes the component's folder in the state folder and moves into it.
data() {
	: "${LARDER_STATE:?run this through make up, or after: eval \"\$(local/env.sh demo)\"}"
	mkdir -p "$LARDER_STATE/$name" "$LARDER_STATE/run"
	cd "$LARDER_STATE/$name"
}

# not_twice: ends what an earlier start of this component left behind (a killed launcher leaves its server).
not_twice() {
	[ -n "${LARDER_SUPERVISED-}" ] || return 0
	"$root/local/bin/survivors.sh" end "$LARDER_SUPERVISED" "$name" "$$"
}

# lives PID: true if the process runs; one that has ended and was not waited for yet does not.
lives() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

# beside FUNCTION: runs FUNCTION beside the program that this shell is about to become, again and again until it
# succeeds or the program has ended, then makes run/NAME.ready. It writes to a log of its own: the supervisor takes a
# process for ended only when nobody holds its output any more.
beside() {
	local step=$1 mark=$LARDER_STATE/run/$name.ready
	rm -f "$mark"
	# Two brackets: the inner one outlives the outer one, so that its end has not to be waited for by the program.
	( (
		until "$step"; do
			lives "$$" || exit 0
			sleep 0.3
		done
		touch "$mark"
	) >>"$LARDER_STATE/log/$name-fill.log" 2>&1 </dev/null &)
}

# filled ADDRESS: true if the step beside it is done and the program still answers.
filled() { [ -e "$LARDER_STATE/run/$name.ready" ] && answers "$(host_of "$1")" "$(port_of "$1")"; }

# java_for VERSION: the java program of the oldest installed JDK that is at least VERSION.
java_for() {
	local home version best='' best_version=999
	for home in ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/*; do
		[ -x "$home/bin/java" ] && [ -r "$home/release" ] || continue
		version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
		if [ "${version:-0}" -ge "$1" ] && [ "$version" -lt "$best_version" ]; then
			best=$home/bin/java best_version=$version
		fi
	done
	[ -n "$best" ] || fail "needs a JDK $1 or newer under /usr/lib/jvm or in JAVA_HOME"
	echo "$best"
}

# sdk FILE: the path of a file of the Google Cloud SDK, given relative to the SDK's root; fails with the component's name.
sdk() {
	local home
	for home in "${CLOUDSDK_ROOT:-}" /usr/lib/google-cloud-sdk /opt/google-cloud-sdk "$HOME/google-cloud-sdk" \
		/usr/local/google-cloud-sdk /snap/google-cloud-cli/current; do
		[ -n "$home" ] && [ -e "$home/$1" ] && echo "$home/$1" && return
	done
	if command -v gcloud >/dev/null; then
		home=$(gcloud info --format='value(installation.sdk_root)' 2>/dev/null)
		[ -e "$home/$1" ] && echo "$home/$1" && return
	fi
	return 1
}

# maven ARTIFACT FILE SHA256 REPOSITORY: downloads group:artifact:version:type through Maven to FILE and checks it.
# REPOSITORY is a local Maven repository of its own, deleted by the caller: the artifact would lie in it twice.
maven() {
	local artifact=$1 file=$2 sum=$3 repository=$4 dir
	command -v mvn >/dev/null || fail "needs Maven to download $artifact (Debian package maven)"
	dir=$(dirname "$file")
	echo "$name: downloading $artifact" >&2
	mvn -q -B -Dmaven.repo.local="$repository" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
		-Dartifact="$artifact" -DoutputDirectory="$dir" >&2 ||
		fail "could not download $artifact through Maven"
	echo "$sum  $file" | sha256sum --check --quiet >&2 || fail "$artifact has another checksum than $sum"
}

# account_for USER PATH...: decides under which account a program runs that refuses root. Sets account, and become, the
# words that go before the program. It is the caller's own account; where the caller is root, it is USER; where USER may
# not enter one of the paths (a clone or a cache in root's home), it is root in a user namespace in which root has
# another number and no capability.
account_for() {
	local user=$1 path
	shift
	account=$(id -un) become=()
	if [ "$account" != root ]; then return; fi
	account=$user become=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --)
	for path in "$@"; do
		"${become[@]}" test -x "$path/." || account=root
	done
	if [ $account = root ]; then become=(unshare --user --map-user=1000 --map-group=1000 --); fi
}

# give PATH...: makes that account the owner of the paths and all below.
give() { if [ "$(id -u)" = 0 ]; then chown -R "$account" "$@"; fi; }

# until_ready COMMAND...: runs it again and again until it succeeds, for READY_WITHIN seconds (50) at most and no longer than whoever asks lives. So
# the supervisor, which asks once a minute, learns at once what has become ready, and a dozen shells don't hold a small machine up every other second.
until_ready() {
	until "$@"; do
		if ((SECONDS >= ${READY_WITHIN:-50})) || ! lives "$PPID"; then return 1; fi
		sleep 0.3 || true # a component that starts ends what bears its name (not_twice), this among it
	done
}

# wants WORD: the script's last line; runs the function of the word the script was called with.
wants() {
	case ${1-} in
	get | start) "$1" ;;
	ready) until_ready ready ;;
	*)
		echo "usage: $(basename "$0") get | start | ready" >&2
		exit 2
		;;
	esac
}
