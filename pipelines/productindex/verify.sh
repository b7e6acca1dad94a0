#!/bin/bash
# Runs productindex on Dataflow, for what only Dataflow can show (docs/dataflow.md), on a generation of the index of its own, which isn't
# made live. Prints a line for each thing that was looked at; exit 0 only if all hold. It costs a small worker for half an hour.
#
#   PROJECT=my-project REGION=europe-west2 TEMPLATE=gs://my-bucket/templates/productindex.json SERVICE_ACCOUNT=... SUBNETWORK=... \
#   ELASTICSEARCH_SECRET=projects/my-project/secrets/elasticsearch-write-url/versions/latest \
#   ELASTICSEARCH_URL=https://... DATABASE_URL=postgres://... pipelines/productindex/verify.sh
#
# It needs gcloud, jq, psql, and productreindex in the PATH, from a place that reaches the database and Elasticsearch.
set -euo pipefail
for name in PROJECT REGION TEMPLATE SERVICE_ACCOUNT SUBNETWORK ELASTICSEARCH_SECRET ELASTICSEARCH_URL DATABASE_URL; do
	: "${!name:?is needed, see the head of this file}"
done
export ELASTICSEARCH_URL DATABASE_URL GOOGLE_CLOUD_PROJECT=$PROJECT
faults=0 job="" number="" told=$(mktemp)

say() { # say what, and whether it holds
	if [ "$2" = yes ]; then echo "ok    $1"; else echo "FAULT $1" && faults=$((faults + 1)); fi
}
describe() { gcloud dataflow jobs describe "$job" --project "$PROJECT" --region "$REGION" --full --format json; }
# waits until the job is in one of the states, for at most 15 minutes.
await() {
	local state
	for _ in $(seq 90); do
		state=$(describe | jq -r .currentState)
		case " $* " in *" $state "*) return 0 ;; esac
		case $state in JOB_STATE_FAILED | JOB_STATE_CANCELLED) break ;; esac
		sleep 10
	done
	echo "the job is $state, not $*" >&2
	return 1
}
# launch starts the job and waits until it runs.
launch() {
	job=$(gcloud dataflow flex-template run "verify-productindex-$number-$(date +%s)" --project "$PROJECT" --region "$REGION" \
		--template-file-gcs-location "$TEMPLATE" --service-account-email "$SERVICE_ACCOUNT" --subnetwork "$SUBNETWORK" --disable-public-ips \
		--enable-streaming-engine --additional-experiments streaming_mode_at_least_once --max-workers 2 \
		--parameters "google_cloud_project=$PROJECT,elasticsearch_url=$ELASTICSEARCH_SECRET,subscription=productindex-$number,index=products-$number" \
		--format 'value(job.id)')
	await JOB_STATE_RUNNING
}
# The audit's counters, once nothing is on its way any more.
faithful() {
	for _ in $(seq 30); do
		if productreindex audit "$number" >"$told" 2>&1; then return 0; fi
		sleep 10
	done
	cat "$told" >&2
	return 1
}
# Sends each product to the index once more, a transaction a thousand.
touch_all() {
	psql "$DATABASE_URL" -qAt >/dev/null <<-'SQL'
		select format('select products.renew_documents(%L)', array_agg(product_id order by product_id))
		from (select product_id, row_number() over (order by product_id) / 1000 as part from products.catalog_documents) d
		group by part \gexec
	SQL
}
finish() {
	rm -f "$told"
	if [ -n "$job" ]; then gcloud dataflow jobs cancel "$job" --project "$PROJECT" --region "$REGION" --quiet >/dev/null 2>&1 || true; fi
	if [ -n "$number" ]; then productreindex retire "$number" || true; fi
}
trap finish EXIT

number=$(productreindex begin | jq -r .generation)
launch
productreindex copy "$number" >/dev/null

stages=$(describe | jq '[.pipelineDescription.executionPipelineStage[] | [.componentTransform[]?.userName // empty] | select(any(test("Decode|Index|DeadLetter")))] | length')
say "read, decode, write and dead letters are one fused stage (seen in $stages)" "$([ "$stages" = 1 ] && echo yes)"
say "each message is delivered at least once, without Dataflow's own deduplication" \
	"$(describe | jq -r '.environment.streamingMode // "" | if test("AT_LEAST_ONCE") then "yes" else "no" end')"
say "no setting of the job has a URL with a password" "$(describe | grep -q '://[^/"]*:[^/"]*@' && echo no || echo yes)"
say "the new generation holds the catalogue while changes come" "$(touch_all && faithful && echo yes)"

# A worker that vanishes: what it had read and not written comes again.
worker=$(gcloud compute instances list --project "$PROJECT" --filter "labels.dataflow_job_id=$job" --format 'value(name,zone)' | head -1)
touch_all &
read -r name zone <<<"$worker"
gcloud compute instances delete "$name" --project "$PROJECT" --zone "$zone" --quiet >/dev/null
wait
say "no change is lost with a worker ($name)" "$(faithful && echo yes)"

# Poison goes to the dead letters and holds up nothing.
id=$(gcloud pubsub topics publish product-cdc --project "$PROJECT" --message 'no change at all' --format 'value(messageIds[0])')
say "what can never be indexed is put aside (message $id), and nothing waits for it" "$(touch_all && faithful && echo yes)"

# Drained: what was read is written, the rest stays in the subscription for the job that follows.
touch_all &
gcloud dataflow jobs drain "$job" --project "$PROJECT" --region "$REGION" --quiet >/dev/null
wait
say "a drained job ends" "$(await JOB_STATE_DRAINED && echo yes)"
before=$job
launch
say "the job after $before loses nothing" "$(faithful && echo yes)"

echo "verify: $faults faults"
[ "$faults" = 0 ]
