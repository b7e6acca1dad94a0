#!/bin/bash
# Debezium Server 3.6.0: reads the catalogue's documents out of PostgreSQL's log and publishes them to Pub/Sub. Its
# settings are in debezium.properties.
. "$(dirname "$0")/lib.sh"

version=3.6.0.Final
sum=901ce7b0b75b4dafaac4aa57dac6dfcad5937f96fb7159e25d22759bbf5192e4
home=$cache/debezium-server-$version

get() {
	if [ -d "$home" ]; then return; fi
	mkdir -p "$cache"
	local dir file
	dir=$(mktemp -d "$cache/debezium.XXXXXX")
	trap "rm -rf '$dir'" EXIT # expanded here: dir is gone by then
	file=debezium-server-dist-$version
	# The archive's descriptor names a parent that is not published. An empty one in its place lets Maven go on.
	cat >"$dir/parent.xml" <<-POM
		<project>
		<modelVersion>4.0.0</modelVersion><packaging>pom</packaging>
		<groupId>io.debezium</groupId><artifactId>debezium-server</artifactId><version>$version</version>
		</project>
	POM
	mvn -q -B -Dmaven.repo.local="$dir/maven" org.apache.maven.plugins:maven-install-plugin:2.4:install-file \
		-Dfile="$dir/parent.xml" -DpomFile="$dir/parent.xml" >&2 || fail "Maven could not install a descriptor"
	maven "io.debezium:debezium-server-dist:$version:tar.gz" "$dir/$file.tar.gz" $sum "$dir/maven"
	tar xzf "$dir/$file.tar.gz" -C "$dir" --wildcards 'debezium-server/lib' 'debezium-server/*-runner.jar'
	mv -T "$dir/debezium-server" "$home"
}

start() {
	if outside; then stand_in "$DEBEZIUM_URL"; fi
	get
	local java url
	java=$(java_for 21)
	data
	not_twice
	mkdir -p config
	cp "$root/local/components/debezium.properties" config/application.properties
	url=${DATABASE_URL#*://}
	export DEBEZIUM_HTTP_PORT DATABASE_HOST DATABASE_PORT DATABASE_USER DATABASE_PASSWORD DATABASE_NAME
	DEBEZIUM_HTTP_PORT=$(port_of "$DEBEZIUM_URL")
	DATABASE_HOST=$(host_of "$DATABASE_URL")
	DATABASE_PORT=$(port_of "$DATABASE_URL")
	DATABASE_USER=${url%%:*}
	DATABASE_PASSWORD=${url#*:} DATABASE_PASSWORD=${DATABASE_PASSWORD%%@*}
	DATABASE_NAME=${url#*/} DATABASE_NAME=${DATABASE_NAME%%\?*}
	# A new Pub/Sub emulator has lost what the last one held: without offsets Debezium tells the whole table again.
	if ! cmp -s "$LARDER_STATE/run/pubsub.incarnation" incarnation; then
		rm -f offsets
		cp "$LARDER_STATE/run/pubsub.incarnation" incarnation
	fi
	exec "$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(echo "$home"/*-runner.jar):$home/lib/*" io.debezium.server.Main
}

# The readiness address alone has no check behind it; this one has the connector's too.
ready() { curl -fsS -m 3 -o /dev/null "$DEBEZIUM_URL/q/health" 2>/dev/null; }

wants "$@"
