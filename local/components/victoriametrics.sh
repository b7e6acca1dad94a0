#!/bin/bash
# VictoriaMetrics, built by tools/build.sh: keeps the metrics that the viewer passes on to it, for two days, and draws them (vmui).
. "$(dirname "$0")/lib.sh"

get() { "$root/tools/build.sh" victoria-metrics >/dev/null; }

start() {
	get
	data
	not_twice
	# With Prometheus' naming, larder.outbox.lag in seconds is larder_outbox_lag_seconds, which vmui completes as one types.
	exec "$("$root/tools/build.sh" victoria-metrics)/victoria-metrics" -httpListenAddr="$VICTORIAMETRICS_ADDR" -storageDataPath="$PWD" \
		-retentionPeriod=2d -memory.allowedBytes=48MiB -opentelemetry.usePrometheusNaming -vmui.customDashboardsPath="$root/local/viewer/dashboards" \
		-search.latencyOffset=0s -loggerLevel=WARN -loggerFormat=json
}

ready() { curl -fsS -m 2 -o /dev/null "http://$VICTORIAMETRICS_ADDR/health"; }

wants "$@"
